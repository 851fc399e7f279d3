-- C2: one hidden layer of 128 units on Fashion-MNIST.
local shared = require "shared"

return model "fashion_mlp_128" {
  input { 28, 28, 1 },
  flatten {},
  shared.hidden({ 128 }, "relu", 0.2),
  dense { 10, activation = "softmax" },

  training = shared.careful(),
}
