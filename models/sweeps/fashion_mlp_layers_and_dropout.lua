-- C3: hidden layers and dropout of a multilayer perceptron. Fashion-MNIST.
local blocks = require "blocks"

return sweep "fashion_mlp_layers_and_dropout" {
  space = {
    hidden = {
      { 256, 256 }, 384, { 384, 256, 128 }, 512, { 512, 256 }, { 512, 512 }, 768, { 768, 768 },
      { 768, 512 }, { 768, 512, 256 },
    },
    rate = { 0.2, 0.25, 0.3 },
  },
  model = function(p)
    return model "fashion_mlp" {
      input { 28, 28, 1 },
      flatten {},
      blocks.hidden(type(p.hidden) == "table" and p.hidden or { p.hidden }, "relu", p.rate),
      dense { 10, activation = "softmax" },
      training = blocks.careful(),
    }
  end,
}
