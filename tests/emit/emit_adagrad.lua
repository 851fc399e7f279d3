-- An optimizer whose slots do not start as zeros.
return model "emit_adagrad" {
  input { 6 },
  dense { 5, activation = "tanh" },
  dense { 3, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adagrad { 0.5 }, batch_size = 4 },
}
