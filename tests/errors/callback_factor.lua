-- tests/errors/callback_factor.lua:8: reduce_lr_on_plateau: factor is 1; use a number above 0 and below 1
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { reduce_lr_on_plateau { factor = 1 } },
  },
}
