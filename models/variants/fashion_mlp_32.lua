-- C2: one hidden layer of 32 units on Fashion-MNIST.
local shared = require "shared"

return model "fashion_mlp_32" {
  input { 28, 28, 1 },
  flatten {},
  shared.hidden({ 32 }, "relu", 0.2),
  dense { 10, activation = "softmax" },

  training = shared.careful(),
}
