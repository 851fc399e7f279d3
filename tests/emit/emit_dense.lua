-- Dense layers only: rows of the batch are no multiple of anything.
return model "emit_dense" {
  input { 13 },
  dense { 17, activation = "tanh", kernel_initializer = "he_normal" },
  dense { 9, activation = "gelu", kernel_initializer = "random_normal" },
  dense { 4, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 1e-3, amsgrad = true },
    batch_size = 7,
  },
}
