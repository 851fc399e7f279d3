-- The three networks of experiments A1 to A3, with what the sweeps of A4 change; not a sweep itself:
-- local cnn_shapes = require "cnn_shapes".
local blocks = require "blocks"

local shapes = {
  increasing = { { 8, 9, 10 }, { 20, 21, 22 }, { 44, 45, 46 }, last = 160, hidden = 80, batch_size = 64 },
  decreasing = { { 80, 75, 70 }, { 55, 50, 45 }, { 25, 20, 15 }, last = 10, hidden = 100, batch_size = 128 },
  hourglass = { { 30, 31, 32 }, { 60, 65, 60 }, { 32, 31, 30 }, last = 25, hidden = 128, batch_size = 128 },
}

-- The model of a shape; changes may have filters (of the last convolution), hidden (units),
-- optimizer and batch_size.
return function(shape, changes)
  local settings = shapes[shape]
  local layers = { input { 28, 28, 1 } }
  for i = 1, 3 do
    table.insert(layers, blocks.convolutions(settings[i]))
    table.insert(layers, max_pool2d { 2 })
  end
  table.insert(layers, blocks.convolutions { changes.filters or settings.last })
  table.insert(layers, flatten {})
  table.insert(layers, dense { changes.hidden or settings.hidden, activation = "relu" })
  table.insert(layers, dense { 10, activation = "softmax" })
  return model("cnn_" .. shape) {
    layers,
    training = {
      loss = "sparse_categorical_crossentropy",
      optimizer = changes.optimizer or adam { learning_rate = 1e-3 },
      batch_size = changes.batch_size or settings.batch_size,
      epochs = 5,
      validation_split = 0.1,
    },
  }
end
