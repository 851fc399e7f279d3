-- D8: ../mnist_mlp.lua with a learning rate of 0.00001, far too small.
local blocks = require "blocks"

return model "mnist_mlp_rate_0_00001" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 50, 50 },
  dense { 10, activation = "softmax" },

  training = blocks.exercise { optimizer = adam { 0.00001 } },
}
