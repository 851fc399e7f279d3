-- A1: a convolutional network on MNIST whose layers grow wider towards the output.
local blocks = require "blocks"

return model "cnn_increasing" {
  input { 28, 28, 1 },
  blocks.convolutions { 8, 9, 10 },
  max_pool2d { 2 },
  blocks.convolutions { 20, 21, 22 },
  max_pool2d { 2 },
  blocks.convolutions { 44, 45, 46 },
  max_pool2d { 2 },
  blocks.convolutions { 160 },
  flatten {},
  dense { 80, activation = "relu" },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 1e-3 },
    batch_size = 64,
    epochs = 5,
  },
}
