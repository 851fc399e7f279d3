-- C10: ../cnn_batch_norm.lua on changed images.
local blocks = require "blocks"

return model "fashion_four_blocks_augmented" {
  input { 28, 28, 1 },
  blocks.normalized({ 8, 16, 32, 64 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful { augmentation = blocks.small_changes },
}
