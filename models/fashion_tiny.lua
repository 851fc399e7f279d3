-- A network for a microcontroller: 2,698 parameters, Fashion-MNIST.
return model "fashion_tiny" {
  input { 28, 28, 1 },
  average_pool2d { 2 },
  conv2d { 8, kernel_size = 3, padding = "same", activation = "relu" },
  max_pool2d { 2 },
  conv2d { 16, kernel_size = 3, padding = "same", activation = "relu" },
  max_pool2d { 2 },
  flatten {},
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = exponential_decay {
      initial_learning_rate = 4e-3, decay_steps = 1000, decay_rate = 0.9,
    } },
    batch_size = 32,
    epochs = 12,
  },
}
