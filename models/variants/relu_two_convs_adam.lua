-- B7: ../relu_cnn.lua with Adam.
local blocks = require "blocks"

return model "relu_two_convs_adam" {
  input { 28, 28, 1 },
  conv2d { 32, kernel_size = 5, activation = "relu" },
  conv2d { 32, kernel_size = 5, activation = "relu" },
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.one_hot { optimizer = adam {} },
}
