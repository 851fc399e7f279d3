-- A4: optimizer and learning rate of the three networks. MNIST.
local cnn_shape = require "cnn_shapes"

return sweep "cnn_optimizer_and_learning_rate" {
  space = {
    shape = { "increasing", "decreasing", "hourglass" },
    optimizer = { "adam", "sgd", "rmsprop" },
    learning_rate = log_range { 1e-4, 1e-2, count = 3 },
  },
  model = function(p)
    local optimizers = { adam = adam, sgd = sgd, rmsprop = rmsprop }
    return cnn_shape(p.shape, { optimizer = optimizers[p.optimizer] { learning_rate = p.learning_rate } })
  end,
}
