-- C2: one hidden layer of 256 units on Fashion-MNIST.
local blocks = require "blocks"

return model "fashion_mlp_256" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden({ 256 }, "relu", 0.2),
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
