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

-- The recipe of the experiments C on Fashion-MNIST: 12,000 of the 60,000 samples validate, the
-- learning rate falls on plateaus, and the weights of the best epoch are tested.
function blocks.careful_training(batch_size)
  return {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam {},
    batch_size = batch_size,
    epochs = 300,
    validation_split = 0.2,
    stratified = true,
    callbacks = {
      early_stopping { patience = 20, restore_best_weights = true },
      reduce_lr_on_plateau { factor = 0.1, patience = 10, cooldown = 2 },
    },
  }
end

return blocks
