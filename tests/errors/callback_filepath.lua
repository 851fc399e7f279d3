-- tests/errors/callback_filepath.lua:8: model_checkpoint: filepath is "best.h5", but weights are safetensors files; let it end with .safetensors
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { model_checkpoint { "best.h5" } },
  },
}
