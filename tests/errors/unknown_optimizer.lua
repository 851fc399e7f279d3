-- tests/errors/unknown_optimizer.lua:8: training: optimizer "adma" is unknown; did you mean "adam"?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = "adma",
  },
}
