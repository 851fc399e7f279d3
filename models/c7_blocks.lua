-- Four blocks of convolution, normalization and pooling; Fashion-MNIST.

local function block(filters)
  return {
    conv2d { filters, kernel_size = 3, padding = "same", activation = "relu" },
    batch_norm {},
    max_pool2d { 2, padding = "same" },
    dropout { 0.2 },
  }
end

return model "c7_blocks" {
  input { 28, 28, 1 },
  block(8),
  block(16),
  block(32),
  block(64),
  flatten {},
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 1e-3 },
    batch_size = 32,
    epochs = 20,
    validation_split = 0.2,
  },
}
