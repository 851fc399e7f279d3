-- E2: extra convolution blocks and first filters of cnn_small, cross-validated. Fashion-MNIST.
return sweep "cnn_small_blocks_and_filters" {
  space = {
    blocks = { 1, 2 },
    filters = { 8, 16, 32 },
  },
  folds = 5,
  model = function(p)
    local layers = { input { 28, 28, 1 } }
    for i = 0, p.blocks do -- the first one, and so many more
      table.insert(layers, conv2d { p.filters << i, kernel_size = 4, padding = "same", activation = "relu" })
      table.insert(layers, max_pool2d { 3 })
    end
    return model "cnn_small" {
      layers,
      flatten {},
      dense { 64, activation = "relu" },
      dropout { 0.25 },
      dense { 32, activation = "relu" },
      dropout { 0.5 },
      dense { 10, activation = "softmax" },
      training = {
        loss = "sparse_categorical_crossentropy",
        optimizer = nadam {},
        batch_size = 32,
        epochs = 20,
        callbacks = { early_stopping { monitor = "val_loss", patience = 5, restore_best_weights = true } },
      },
    }
  end,
}
