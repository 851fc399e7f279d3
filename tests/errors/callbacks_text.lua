-- tests/errors/callbacks_text.lua:8: training: callback 1 is the text "early_stopping"; use a list of callbacks, as { early_stopping { patience = 5 } }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { "early_stopping" },
  },
}
