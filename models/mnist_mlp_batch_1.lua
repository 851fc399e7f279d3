-- D7: mnist_mlp, one sample a step.
local blocks = require "blocks"

return model "mnist_mlp_batch_1" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 50, 50 },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam {},
    batch_size = 1,
    epochs = 5,
    validation_split = 0.1,
  },
}
