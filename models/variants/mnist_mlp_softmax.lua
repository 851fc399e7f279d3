-- D4: ../mnist_mlp.lua with softmax as the activation of the hidden layers: worse.
local blocks = require "blocks"

return model "mnist_mlp_softmax" {
  input { 28, 28, 1 },
  flatten {},
  blocks.hidden({ 50, 50 }, "softmax"),
  dense { 10, activation = "softmax" },

  training = blocks.exercise(),
}
