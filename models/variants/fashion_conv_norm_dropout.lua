-- C6: one convolution on Fashion-MNIST, with batch normalization and dropout.
local blocks = require "blocks"

return model "fashion_conv_norm_dropout" {
  input { 28, 28, 1 },
  blocks.normalized({ 8 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
