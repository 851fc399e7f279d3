-- D2: four hidden layers of 50 units on MNIST.
local shared = require "shared"

return model "mnist_mlp_four_layers" {
  input { 28, 28, 1 },
  flatten {},
  shared.hidden { 50, 50, 50, 50 },
  dense { 10, activation = "softmax" },

  training = shared.exercise(),
}
