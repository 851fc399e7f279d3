-- A3: a convolutional network on MNIST that is widest in the middle.
local blocks = require "blocks"

return model "cnn_hourglass" {
  input { 28, 28, 1 },
  blocks.convolutions { 30, 31, 32 },
  max_pool2d { 2 },
  blocks.convolutions { 60, 65, 60 },
  max_pool2d { 2 },
  blocks.convolutions { 32, 31, 30 },
  max_pool2d { 2 },
  blocks.convolutions { 25 },
  flatten {},
  dense { 128, activation = "relu" },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 1e-3 },
    batch_size = 128,
    epochs = 5,
  },
}
