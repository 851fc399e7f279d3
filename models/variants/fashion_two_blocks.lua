-- C7: ../cnn_batch_norm.lua with two blocks.
local blocks = require "blocks"

return model "fashion_two_blocks" {
  input { 28, 28, 1 },
  blocks.normalized({ 8, 16 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
