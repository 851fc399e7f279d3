-- D3: five hidden layers of 1000 units on MNIST.
local blocks = require "blocks"

return model "mnist_deep_mlp" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 1000, 1000, 1000, 1000, 1000 },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam {},
    batch_size = 100,
    epochs = 5,
    validation_split = 0.1,
  },
}
