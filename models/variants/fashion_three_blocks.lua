-- C7: ../cnn_batch_norm.lua with three blocks.
local blocks = require "blocks"

return model "fashion_three_blocks" {
  input { 28, 28, 1 },
  blocks.normalized({ 8, 16, 32 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
