-- B1: one sigmoid convolution on MNIST, plain SGD.
local blocks = require "blocks"

return model "sigmoid_conv" {
  input { 28, 28, 1 },
  conv2d { 32, kernel_size = 5, activation = "sigmoid" },
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.one_hot(),
}
