-- C9: three wide blocks with batch normalization on Fashion-MNIST.
local blocks = require "blocks"

return model "cnn_batch_norm_wide" {
  input { 28, 28, 1 },
  blocks.normalized({ 128, 256, 512 }, 0.25),
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful { batch_size = 256 },
}
