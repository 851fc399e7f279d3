-- C6: one convolution on Fashion-MNIST, with batch normalization and dropout.
local shared = require "shared"

return model "fashion_conv_norm_dropout" {
  input { 28, 28, 1 },
  shared.normalized({ 8 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = shared.careful(),
}
