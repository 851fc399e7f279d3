-- For training on a microcontroller: 2,090 parameters, 134 KB of memory in all, Fashion-MNIST.
return model "fashion_micro" {
  input { 28, 28, 1 },
  average_pool2d { 4 },
  conv2d { 8, kernel_size = 3, activation = "relu" },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 2e-3 },
    batch_size = 16,
    epochs = 12,
  },
}
