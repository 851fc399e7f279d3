-- C4: batch size and optimizer of the perceptron with one hidden layer of 768. Fashion-MNIST.
local blocks = require "blocks"

local optimizers = {
  adam = function() return adam {} end,
  nadam = function() return nadam {} end,
  momentum = function() return sgd { learning_rate = 0.01, momentum = 0.9 } end,
  nesterov = function() return sgd { learning_rate = 0.01, momentum = 0.9, nesterov = true } end,
}

return sweep "fashion_mlp_batch_and_optimizer" {
  space = {
    batch_size = { 128, 256, 384, 512 },
    optimizer = { "adam", "nadam", "momentum", "nesterov" },
  },
  model = function(p)
    return model "fashion_mlp" {
      input { 28, 28, 1 },
      flatten {},
      blocks.hidden({ 768 }, "relu", 0.3),
      dense { 10, activation = "softmax" },
      training = blocks.careful { optimizer = optimizers[p.optimizer](), batch_size = p.batch_size },
    }
  end,
}
