-- B2: two sigmoid convolutions on MNIST, one-hot labels, plain SGD.
return model "sigmoid_cnn" {
  input { 28, 28, 1 },
  conv2d { 32, kernel_size = 5, activation = "sigmoid" },
  conv2d { 32, kernel_size = 5, activation = "sigmoid" },
  flatten {},
  dense { 128, activation = "sigmoid" },
  dense { 10, activation = "softmax" },

  training = {
    loss = "categorical_crossentropy",
    optimizer = sgd { learning_rate = 0.01 },
    batch_size = 128,
    epochs = 5,
  },
}
