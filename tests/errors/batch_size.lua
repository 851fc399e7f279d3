-- tests/errors/batch_size.lua:8: training: batch_size is 0; use a whole number of at least 1
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    batch_size = 0,
  },
}
