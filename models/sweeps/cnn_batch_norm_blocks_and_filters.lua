-- C8: blocks, first filters (doubled by each block) and dropout of cnn_batch_norm_wide. Fashion-MNIST.
return sweep "cnn_batch_norm_blocks_and_filters" {
  space = {
    shape = { { 3, 32 }, { 4, 32 }, { 3, 64 }, { 4, 64 }, { 3, 128 } }, -- blocks, first filters
    rate = { 0.2, 0.25, 0.3 },
  },
  model = function(p)
    local blocks, filters = p.shape[1], p.shape[2]
    local layers = { input { 28, 28, 1 } }
    for i = 0, blocks - 1 do
      table.insert(layers, conv2d { filters << i, kernel_size = 3, padding = "same", activation = "relu" })
      table.insert(layers, batch_norm {})
      table.insert(layers, max_pool2d { 2, padding = "same" })
      table.insert(layers, dropout { p.rate })
    end
    return model "cnn_batch_norm" {
      layers,
      flatten {},
      dense { 10, activation = "softmax" },
      training = {
        loss = "sparse_categorical_crossentropy",
        optimizer = adam {},
        batch_size = 256,
        epochs = 300,
        validation_split = 0.2,
        stratified = true,
        callbacks = {
          early_stopping { patience = 20, restore_best_weights = true },
          reduce_lr_on_plateau { factor = 0.1, patience = 10, cooldown = 2 },
        },
      },
    }
  end,
}
