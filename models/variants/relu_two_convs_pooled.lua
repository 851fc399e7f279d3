-- B8: ../relu_cnn.lua with pooling behind each convolution, and Adam.
local blocks = require "blocks"

return model "relu_two_convs_pooled" {
  input { 28, 28, 1 },
  conv2d { 32, kernel_size = 5, activation = "relu" },
  max_pool2d { 2 },
  conv2d { 32, kernel_size = 5, activation = "relu" },
  max_pool2d { 2 },
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.one_hot { optimizer = adam {} },
}
