-- A4, first search: filters of the last convolution and hidden units of cnn_increasing. MNIST.
local cnn_shape = require "cnn_shapes"

return sweep "cnn_filters_and_hidden_units" {
  space = {
    filters = range { 50, 100, step = 10 },
    hidden = range { 20, 100, step = 20 },
  },
  model = function(p) return cnn_shape("increasing", { filters = p.filters, hidden = p.hidden }) end,
}
