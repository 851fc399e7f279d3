-- tests/errors/callback_filepath_figure.lua:8: model_checkpoint: filepath is "{step}.safetensors"; in braces stand epoch, loss, accuracy, val_loss or val_accuracy, as {epoch:02d} or {val_loss:.4f}
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { model_checkpoint { "{step}.safetensors" } },
  },
}
