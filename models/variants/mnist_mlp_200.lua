-- D1: two hidden layers of 200 units on MNIST.
local blocks = require "blocks"

return model "mnist_mlp_200" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden { 200, 200 },
  dense { 10, activation = "softmax" },

  training = blocks.exercise(),
}
