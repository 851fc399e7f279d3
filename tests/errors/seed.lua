-- tests/errors/seed.lua:8: training: seed is -1; use a whole number from 0 to 4294967295
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    seed = -1,
  },
}
