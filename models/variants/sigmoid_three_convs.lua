-- B4: three sigmoid convolutions on MNIST. It does not learn: the gradients vanish.
local blocks = require "blocks"

return model "sigmoid_three_convs" {
  input { 28, 28, 1 },
  conv2d { 32, kernel_size = 5, activation = "sigmoid" },
  conv2d { 32, kernel_size = 5, activation = "sigmoid" },
  conv2d { 32, kernel_size = 5, activation = "sigmoid" },
  flatten {},
  dense { 128, activation = "sigmoid" },
  dense { 10, activation = "softmax" },

  training = blocks.one_hot(),
}
