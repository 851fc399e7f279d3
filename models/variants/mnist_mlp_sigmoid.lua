-- D4: ../mnist_mlp.lua with sigmoids.
local blocks = require "blocks"

return model "mnist_mlp_sigmoid" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden({ 50, 50 }, "sigmoid"),
  dense { 10, activation = "softmax" },

  training = blocks.exercise(),
}
