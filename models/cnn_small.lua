-- E1: a small network on Fashion-MNIST, 47,898 parameters.

-- A 4x4 convolution with ReLU, then pooling.
local function block(filters, pool_size)
  return {
    conv2d { filters, kernel_size = 4, padding = "same", activation = "relu" },
    max_pool2d { pool_size },
  }
end

return model "cnn_small" {
  input { 28, 28 },
  reshape { 28, 28, 1 },
  block(16, 3),
  block(32, 2),
  block(64, 3),
  flatten {},
  dense { 64, activation = "relu" },
  dropout { 0.25 },
  dense { 32, activation = "relu" },
  dropout { 0.5 },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = nadam {},
    batch_size = 32,
    epochs = 20,
  },
}
