-- C8: blocks, first filters (doubled by each block) and dropout of cnn_batch_norm_wide. Fashion-MNIST.
local blocks = require "blocks"

return sweep "cnn_batch_norm_blocks_and_filters" {
  space = {
    shape = { { 3, 32 }, { 4, 32 }, { 3, 64 }, { 4, 64 }, { 3, 128 } }, -- blocks, first filters
    rate = { 0.2, 0.25, 0.3 },
  },
  model = function(p)
    local filters = {}
    for i = 1, p.shape[1] do filters[i] = p.shape[2] << (i - 1) end
    return model "cnn_batch_norm" {
      input { 28, 28, 1 },
      blocks.normalized(filters, p.rate),
      flatten {},
      dense { 10, activation = "softmax" },
      training = blocks.careful { batch_size = 256 },
    }
  end,
}
