-- tests/errors/schedule_boundaries.lua:8: piecewise_constant_decay: boundaries is { 5, "x" }; use a list of numbers, as { 1000, 2000 }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = sgd { piecewise_constant_decay { boundaries = { 5, "x" }, values = { 1, 2, 3 } } },
  },
}
