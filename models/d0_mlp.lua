-- Two hidden layers of 50; MNIST, 0.97 after 5 epochs.

return model "d0_mlp" {
  input { 28, 28, 1 },
  flatten {},
  dense { 50, activation = "relu" },
  dense { 50, activation = "relu" },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 1e-3 },
    batch_size = 100,
    epochs = 5,
    validation_split = 0.1,
  },
}
