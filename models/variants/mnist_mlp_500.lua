-- D1: two hidden layers of 500 units on MNIST.
local blocks = require "blocks"

return model "mnist_mlp_500" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 500, 500 },
  dense { 10, activation = "softmax" },

  training = blocks.exercise(),
}
