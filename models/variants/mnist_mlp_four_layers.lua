-- D2: four hidden layers of 50 units on MNIST.
local blocks = require "blocks"

return model "mnist_mlp_four_layers" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 50, 50, 50, 50 },
  dense { 10, activation = "softmax" },

  training = blocks.exercise(),
}
