-- tests/errors/validation_split.lua:8: training: validation_split is 10; use a number of at least 0 and below 1
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    validation_split = 10,
  },
}
