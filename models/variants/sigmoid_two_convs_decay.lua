-- B5: ../sigmoid_cnn.lua with a large learning rate that decays.
local blocks = require "blocks"

return model "sigmoid_two_convs_decay" {
  input { 28, 28, 1 },
  conv2d { 32, kernel_size = 5, activation = "sigmoid" },
  conv2d { 32, kernel_size = 5, activation = "sigmoid" },
  flatten {},
  dense { 128, activation = "sigmoid" },
  dense { 10, activation = "softmax" },

  training = blocks.one_hot {
    optimizer = sgd { exponential_decay { 0.5, decay_steps = 10000, decay_rate = 0.9 } },
  },
}
