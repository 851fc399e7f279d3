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
function blocks.normalized(list, dropout_rate)
  local layers = {}
  for _, filters in ipairs(list) do
    table.insert(layers, {
      blocks.convolutions { filters },
      batch_norm {},
      max_pool2d { 2, padding = "same" },
      dropout { dropout_rate },
    })
  end
  return layers
end

-- A dense layer for each number of units, with ReLU or another activation, and perhaps dropout.
function blocks.hidden(list, activation, dropout_rate)
  local layers = {}
  for _, units in ipairs(list) do
    table.insert(layers, dense { units, activation = activation or "relu" })
    if dropout_rate then table.insert(layers, dropout { dropout_rate }) end
  end
  return layers
end

-- A training table: the recipe's values, and in their place those of `changes`.
local function recipe(values, changes)
  for key, value in pairs(changes or {}) do values[key] = value end
  return values
end

-- The recipe of the experiments B: MNIST with one-hot labels.
function blocks.one_hot(changes)
  return recipe({
    loss = "categorical_crossentropy",
    optimizer = sgd { learning_rate = 0.01 },
    batch_size = 128,
    epochs = 5,
  }, changes)
end

-- The recipe of the experiments C: Fashion-MNIST, 12,000 samples of the 60,000 for validation; the
-- learning rate falls on plateaus, and the weights of the best epoch are tested.
function blocks.careful(changes)
  return recipe({
    loss = "sparse_categorical_crossentropy",
    optimizer = adam {},
    batch_size = 128,
    epochs = 300,
    validation_split = 0.2,
    stratified = true,
    callbacks = {
      early_stopping { patience = 20, restore_best_weights = true },
      reduce_lr_on_plateau { factor = 0.1, patience = 10, cooldown = 2 },
    },
  }, changes)
end

-- The recipe of the experiments D: MNIST, a tenth of the samples for validation.
function blocks.exercise(changes)
  return recipe({
    loss = "sparse_categorical_crossentropy",
    optimizer = adam {},
    batch_size = 100,
    epochs = 5,
    validation_split = 0.1,
  }, changes)
end

-- Augmentation: the same images, but moved, turned and mirrored a little.
blocks.small_changes = {
  width_shift_range = 2,
  height_shift_range = 2,
  rotation_range = 5,
  horizontal_flip = true,
}

return blocks
