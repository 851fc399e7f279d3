-- C2: one hidden layer of 128 units on Fashion-MNIST.
local blocks = require "blocks"

return model "fashion_mlp_128" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden({ 128 }, "relu", 0.2),
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
