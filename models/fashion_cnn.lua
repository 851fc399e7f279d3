-- The showcase: Fashion-MNIST, 28x28 gray images of clothes, to at least 91 % in a few minutes.

-- Convolution, normalization and pooling: halves height and width.
local function block(filters)
  return {
    conv2d { filters, kernel_size = 3, padding = "same", activation = "relu" },
    batch_norm {},
    max_pool2d { 2 },
  }
end

return model "fashion_cnn" {
  input { 28, 28, 1 },
  block(32),
  block(64),
  dropout { 0.25 },
  flatten {},
  dense { 128, activation = "relu" },
  dropout { 0.25 },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 1e-3 },
    batch_size = 128,
    epochs = 5,
  },
}
