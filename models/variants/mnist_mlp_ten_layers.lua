-- D9: ten hidden layers of 5,000 units on MNIST: 229 million parameters.
local shared = require "shared"

return model "mnist_mlp_ten_layers" {
  input { 28, 28, 1 },
  flatten {},
  shared.hidden { 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000 },
  dense { 10, activation = "softmax" },

  training = shared.exercise { batch_size = 150, epochs = 10 },
}
