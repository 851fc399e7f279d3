-- tests/errors/callback_monitor.lua:8: reduce_lr_on_plateau: monitor is the text "validation_loss"; use "loss", "accuracy", "val_loss" or "val_accuracy"
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { reduce_lr_on_plateau { monitor = "validation_loss" } },
  },
}
