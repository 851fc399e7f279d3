-- tests/errors/schedule_values.lua:8: piecewise_constant_decay: there is one value more than there are boundaries: boundaries = { 1000, 2000 }, values = { 0.1, 0.01, 0.001 }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = sgd { piecewise_constant_decay { boundaries = { 5 }, values = { 1, 2, 3 } } },
  },
}
