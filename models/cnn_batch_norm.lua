-- C7: four blocks with batch normalization on Fashion-MNIST.
local blocks = require "blocks"

return model "cnn_batch_norm" {
  input { 28, 28, 1 },
  blocks.normalized({ 8, 16, 32, 64 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
