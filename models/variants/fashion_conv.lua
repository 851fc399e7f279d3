-- C6: one convolution on Fashion-MNIST.
local blocks = require "blocks"

return model "fashion_conv" {
  input { 28, 28, 1 },
  conv2d { 8, kernel_size = 3, padding = "same", activation = "relu" },
  max_pool2d { 2, padding = "same" },
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
