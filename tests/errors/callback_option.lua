-- tests/errors/callback_option.lua:8: early_stopping: unknown option "patient"; did you mean patience?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { early_stopping { patient = 5 } },
  },
}
