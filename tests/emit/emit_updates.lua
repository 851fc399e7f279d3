-- Dense weights whose gradient is used row by row: columns that are no multiple of a vector, with a
-- few behind the last one, or fewer than a vector has; rows that are gathered first.
return model "emit_updates" {
  input { 300 },
  dense { 50, activation = "tanh" },
  dense { 500, activation = "tanh" },
  dense { 9, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = sgd { learning_rate = 1e-2, momentum = 0.9 },
    batch_size = 48,
  },
}
