-- C10: ../cnn_batch_norm.lua with Adagrad.
local shared = require "shared"

return model "fashion_four_blocks_adagrad" {
  input { 28, 28, 1 },
  shared.normalized({ 8, 16, 32, 64 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = shared.careful { optimizer = adagrad {} },
}
