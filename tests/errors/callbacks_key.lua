-- tests/errors/callbacks_key.lua:8: training: callbacks has the key the text "patience"; use a list of callbacks, as { early_stopping { patience = 5 } }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { early_stopping {}, patience = 5 },
  },
}
