-- tests/errors/nesterov.lua:8: sgd: nesterov = true has no effect without momentum; add momentum = 0.9
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = sgd { nesterov = true },
  },
}
