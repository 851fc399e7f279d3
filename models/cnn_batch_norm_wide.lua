-- C9: three wide blocks with batch normalization on Fashion-MNIST.
local blocks = require "blocks"

return model "cnn_batch_norm_wide" {
  input { 28, 28, 1 },
  blocks.normalized({ 128, 256, 512 }, 0.25),
  flatten {},
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam {},
    batch_size = 256,
    epochs = 30,
    validation_split = 0.2,
  },
}
