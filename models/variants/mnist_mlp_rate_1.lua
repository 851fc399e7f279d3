-- D8: ../mnist_mlp.lua with a learning rate of 1, far too large: it does not learn.
local blocks = require "blocks"

return model "mnist_mlp_rate_1" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 50, 50 },
  dense { 10, activation = "softmax" },

  training = blocks.exercise { optimizer = adam { 1 } },
}
