-- C6: one convolution on Fashion-MNIST, with batch normalization.
local blocks = require "blocks"

return model "fashion_conv_norm" {
  input { 28, 28, 1 },
  conv2d { 8, kernel_size = 3, padding = "same", activation = "relu" },
  batch_norm {},
  max_pool2d { 2, padding = "same" },
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
