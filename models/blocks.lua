-- Pieces that several models share; not a model itself: local blocks = require "blocks".
local blocks = {}

-- One 3x3 convolution with ReLU for each number of filters.
function blocks.convolutions(list)
  local layers = {}
  for _, filters in ipairs(list) do
    table.insert(layers, conv2d { filters, kernel_size = 3, padding = "same", activation = "relu" })
  end
  return layers
end

-- For each number of filters: convolution, normalization, pooling that halves, dropout.
function blocks.normalized(list, rate)
  local layers = {}
  for _, filters in ipairs(list) do
    table.insert(layers, {
      conv2d { filters, kernel_size = 3, padding = "same", activation = "relu" },
      batch_norm {},
      max_pool2d { 2, padding = "same" },
      dropout { rate },
    })
  end
  return layers
end

-- `count` dense layers with ReLU.
function blocks.hidden(count, units)
  local layers = {}
  for _ = 1, count do table.insert(layers, dense { units, activation = "relu" }) end
  return layers
end

return blocks
