-- A CNN of 47,898 parameters; Fashion-MNIST, 0.857 after 20 epochs.

return model "e1_small_cnn" {
  input { 28, 28 },
  reshape { { 28, 28, 1 } },
  conv2d { 16, kernel_size = 4, padding = "same", activation = "relu" },
  max_pool2d { 3 },
  conv2d { 32, kernel_size = 4, padding = "same", activation = "relu" },
  max_pool2d { 2 },
  conv2d { 64, kernel_size = 4, padding = "same", activation = "relu" },
  max_pool2d { 3 },
  flatten {},
  dense { 64, activation = "relu" },
  dropout { 0.25 },
  dense { 32, activation = "relu" },
  dropout { 0.5 },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = nadam { learning_rate = 1e-3 },
    batch_size = 32,
    epochs = 20,
  },
}
