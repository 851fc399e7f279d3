-- D6: ../mnist_mlp.lua with batches of 30,000: too few steps to learn much.
local blocks = require "blocks"

return model "mnist_mlp_batch_30000" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 50, 50 },
  dense { 10, activation = "softmax" },

  training = blocks.exercise { batch_size = 30000 },
}
