-- A4: batch size of the three networks. MNIST.
local cnn_shape = require "cnn_shapes"

return sweep "cnn_batch_size" {
  space = {
    shape = { "increasing", "decreasing", "hourglass" },
    batch_size = { 64, 128, 256, 512, 1024 },
  },
  model = function(p) return cnn_shape(p.shape, { batch_size = p.batch_size }) end,
}
