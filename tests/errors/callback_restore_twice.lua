-- tests/errors/callback_restore_twice.lua:8: training: two callbacks have restore_best_weights = true; the weights can be those of one
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { early_stopping { restore_best_weights = true }, early_stopping { "loss", restore_best_weights = true } },
  },
}
