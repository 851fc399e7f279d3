-- A4, second search: more filters in the last convolution of cnn_increasing. MNIST.
local cnn_shape = require "cnn_shapes"

return sweep "cnn_more_filters" {
  space = { filters = range { 100, 200, step = 20 } },
  model = function(p) return cnn_shape("increasing", { filters = p.filters }) end,
}
