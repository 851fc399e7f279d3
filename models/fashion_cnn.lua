-- The showcase: 28x28 gray images of clothes, to about 92 % in five epochs.

-- Convolution, pooling that halves height and width, and normalization of what is left.
local function block(filters)
  return {
    conv2d { filters, kernel_size = 3, padding = "same", activation = "relu" },
    max_pool2d { 2 },
    batch_norm {},
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
    optimizer = adam {
      learning_rate = exponential_decay {
        initial_learning_rate = 2e-3,
        decay_steps = 469, -- an epoch
        decay_rate = 0.5,
      },
    },
    batch_size = 128,
    epochs = 5,
  },
}
