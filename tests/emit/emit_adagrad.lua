-- An optimizer whose slots do not start as zeros.
return model "emit_adagrad" {
  input { 6 },
  dense { 5, activation = "tanh" },
  dense { 3, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adagrad {
      polynomial_decay { 0.5, decay_steps = 4, end_learning_rate = 0.1, power = 2, cycle = true },
    },
    batch_size = 4,
  },
}
