-- C5: one wide hidden layer on Fashion-MNIST.
local blocks = require "blocks"

return model "fashion_mlp" {
  input { 28, 28, 1 },
  flatten {},
  dense { 768, activation = "relu" },
  dropout { 0.3 },
  dense { 10, activation = "softmax" },

  training = blocks.careful(),
}
