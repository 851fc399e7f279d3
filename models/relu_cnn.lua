-- B6: two ReLU convolutions on MNIST, one-hot labels, SGD with a decaying learning rate.
return model "relu_cnn" {
  input { 28, 28, 1 },
  conv2d { 32, kernel_size = 5, activation = "relu" },
  conv2d { 32, kernel_size = 5, activation = "relu" },
  flatten {},
  dense { 10, activation = "softmax" },

  training = {
    loss = "categorical_crossentropy",
    optimizer = sgd {
      learning_rate = exponential_decay {
        initial_learning_rate = 0.1,
        decay_steps = 10000,
        decay_rate = 0.9,
      },
    },
    batch_size = 128,
    epochs = 5,
  },
}
