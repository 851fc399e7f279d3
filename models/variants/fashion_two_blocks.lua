-- C7: ../cnn_batch_norm.lua with two blocks.
local shared = require "shared"

return model "fashion_two_blocks" {
  input { 28, 28, 1 },
  shared.normalized({ 8, 16 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = shared.careful(),
}
