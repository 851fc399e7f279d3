-- C10: ../cnn_batch_norm_wide.lua on changed images.
local shared = require "shared"

return model "fashion_wide_blocks_augmented" {
  input { 28, 28, 1 },
  shared.normalized({ 128, 256, 512 }, 0.25),
  flatten {},
  dense { 10, activation = "softmax" },

  training = shared.careful { batch_size = 256, augmentation = shared.small_changes },
}
