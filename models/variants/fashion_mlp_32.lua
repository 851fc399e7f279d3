-- C2: one hidden layer of 32 units on Fashion-MNIST.
local blocks = require "blocks"

return model "fashion_mlp_32" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden({ 32 }, "relu", 0.2),
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
