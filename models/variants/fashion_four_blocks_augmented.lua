-- C10: ../cnn_batch_norm.lua on changed images.
local shared = require "shared"

return model "fashion_four_blocks_augmented" {
  input { 28, 28, 1 },
  shared.normalized({ 8, 16, 32, 64 }, 0.2),
  flatten {},
  dense { 10, activation = "softmax" },

  training = shared.careful { augmentation = shared.small_changes },
}
