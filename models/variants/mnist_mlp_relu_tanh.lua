-- D5: a hidden layer with ReLU and one with tanh on MNIST.
local blocks = require "blocks"

return model "mnist_mlp_relu_tanh" {
  input { 28, 28, 1 },
  flatten {},
  dense { 50, activation = "relu" },
  dense { 50, activation = "tanh" },
  dense { 10, activation = "softmax" },

  training = blocks.exercise(),
}
