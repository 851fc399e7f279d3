-- D1: two hidden layers of 200 units on MNIST.
local shared = require "shared"

return model "mnist_mlp_200" {
  input { 28, 28, 1 },
  flatten {},
  shared.hidden { 200, 200 },
  dense { 10, activation = "softmax" },

  training = shared.exercise(),
}
