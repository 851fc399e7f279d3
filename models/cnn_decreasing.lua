-- A2: a convolutional network on MNIST whose layers grow narrower towards the output.
local blocks = require "blocks"

return model "cnn_decreasing" {
  input { 28, 28, 1 },
  blocks.convolutions { 80, 75, 70 },
  max_pool2d { 2 },
  blocks.convolutions { 55, 50, 45 },
  max_pool2d { 2 },
  blocks.convolutions { 25, 20, 15 },
  max_pool2d { 2 },
  blocks.convolutions { 10 },
  flatten {},
  dense { 100, activation = "relu" },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 1e-3 },
    batch_size = 128,
    epochs = 5,
  },
}
