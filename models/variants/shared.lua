-- What these models share: recipes and blocks; not a model itself: local shared = require "shared".
local shared = {}

-- A training table: the recipe's values, and in their place those of `changes`.
local function recipe(values, changes)
  for key, value in pairs(changes or {}) do values[key] = value end
  return values
end

-- Experiments B: sigmoid and ReLU networks on MNIST with one-hot labels.
function shared.one_hot(changes)
  return recipe({
    loss = "categorical_crossentropy",
    optimizer = sgd { learning_rate = 0.01 },
    batch_size = 128,
    epochs = 5,
  }, changes)
end

-- Experiments C: Fashion-MNIST, 12,000 samples of the 60,000 for validation; the learning rate falls
-- on plateaus, and the weights of the best epoch are tested.
function shared.careful(changes)
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

-- Experiments D: small networks on MNIST, a tenth of the samples for validation.
function shared.exercise(changes)
  return recipe({
    loss = "sparse_categorical_crossentropy",
    optimizer = adam {},
    batch_size = 100,
    epochs = 5,
    validation_split = 0.1,
  }, changes)
end

-- A dense layer for each number of units.
function shared.hidden(units, activation, dropout_rate)
  local layers = {}
  for _, count in ipairs(units) do
    table.insert(layers, dense { count, activation = activation or "relu" })
    if dropout_rate then table.insert(layers, dropout { dropout_rate }) end
  end
  return layers
end

-- For each number of filters: convolution, normalization, pooling that halves, dropout.
function shared.normalized(filters, dropout_rate)
  local layers = {}
  for _, count in ipairs(filters) do
    table.insert(layers, {
      conv2d { count, kernel_size = 3, padding = "same", activation = "relu" },
      batch_norm {},
      max_pool2d { 2, padding = "same" },
      dropout { dropout_rate },
    })
  end
  return layers
end

-- The same images, but moved, turned and mirrored a little.
shared.small_changes = {
  width_shift_range = 2,
  height_shift_range = 2,
  rotation_range = 5,
  horizontal_flip = true,
}

return shared
