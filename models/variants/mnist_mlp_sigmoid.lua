-- D4: ../mnist_mlp.lua with sigmoids.
local shared = require "shared"

return model "mnist_mlp_sigmoid" {
  input { 28, 28, 1 },
  flatten {},
  shared.hidden({ 50, 50 }, "sigmoid"),
  dense { 10, activation = "softmax" },

  training = shared.exercise(),
}
