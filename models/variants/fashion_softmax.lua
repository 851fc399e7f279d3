-- C1: softmax regression on Fashion-MNIST.
local blocks = require "blocks"

return model "fashion_softmax" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
