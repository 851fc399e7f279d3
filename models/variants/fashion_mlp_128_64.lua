-- C2: two hidden layers of 128 and 64 units on Fashion-MNIST.
local blocks = require "blocks"

return model "fashion_mlp_128_64" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden({ 128, 64 }, "relu", 0.2),
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
