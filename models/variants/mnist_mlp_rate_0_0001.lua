-- D8: ../mnist_mlp.lua with a learning rate of 0.0001, small: it learns slowly.
local blocks = require "blocks"

return model "mnist_mlp_rate_0_0001" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 50, 50 },
  dense { 10, activation = "softmax" },

  training = blocks.exercise { optimizer = adam { 0.0001 }, epochs = 10 },
}
