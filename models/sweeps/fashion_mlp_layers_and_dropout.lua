-- C3: hidden layers and dropout of a multilayer perceptron. Fashion-MNIST.
return sweep "fashion_mlp_layers_and_dropout" {
  space = {
    hidden = {
      { 256, 256 }, 384, { 384, 256, 128 }, 512, { 512, 256 }, { 512, 512 }, 768, { 768, 768 },
      { 768, 512 }, { 768, 512, 256 },
    },
    rate = { 0.2, 0.25, 0.3 },
  },
  model = function(p)
    local layers = { input { 28, 28, 1 }, flatten {} }
    for _, units in ipairs(type(p.hidden) == "table" and p.hidden or { p.hidden }) do
      table.insert(layers, dense { units, activation = "relu" })
      table.insert(layers, dropout { p.rate })
    end
    table.insert(layers, dense { 10, activation = "softmax" })
    return model "fashion_mlp" {
      layers,
      training = {
        loss = "sparse_categorical_crossentropy",
        optimizer = adam {},
        batch_size = 128,
        epochs = 300,
        validation_split = 0.2,
        callbacks = {
          early_stopping { monitor = "val_loss", patience = 20, restore_best_weights = true },
          reduce_lr_on_plateau { factor = 0.1, patience = 10, cooldown = 2 },
        },
      },
    }
  end,
}
