-- tests/errors/optimizer_uncalled.lua:8: training: optimizer is a function; use an optimizer, as adam { learning_rate = 1e-3 }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam,
  },
}
