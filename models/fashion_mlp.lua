-- C5: one wide hidden layer on Fashion-MNIST.
return model "fashion_mlp" {
  input { 28, 28, 1 },
  flatten {},
  dense { 768, activation = "relu" },
  dropout { 0.3 },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam {},
    batch_size = 128,
    epochs = 30,
    validation_split = 0.2,
  },
}
