-- C10: ../cnn_batch_norm_wide.lua on changed images.
local blocks = require "blocks"

return model "fashion_wide_blocks_augmented" {
  input { 28, 28, 1 },
  blocks.normalized({ 128, 256, 512 }, 0.25),
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful { batch_size = 256, augmentation = blocks.small_changes },
}
