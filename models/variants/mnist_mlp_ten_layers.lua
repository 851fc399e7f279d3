-- D9: ten hidden layers of 5,000 units on MNIST: 229 million parameters.
local blocks = require "blocks"

return model "mnist_mlp_ten_layers" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000 },
  dense { 10, activation = "softmax" },

  training = blocks.exercise { batch_size = 150, epochs = 10 },
}
