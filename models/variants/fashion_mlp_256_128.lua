-- C2: two hidden layers of 256 and 128 units on Fashion-MNIST.
local blocks = require "blocks"

return model "fashion_mlp_256_128" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden({ 256, 128 }, "relu", 0.2),
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
