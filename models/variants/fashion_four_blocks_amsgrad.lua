-- C10: ../cnn_batch_norm.lua with AMSGrad.
local blocks = require "blocks"

return model "fashion_four_blocks_amsgrad" {
  input { 28, 28, 1 },
  blocks.normalized({ 8, 16, 32, 64 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful { optimizer = adam { amsgrad = true } },
}
