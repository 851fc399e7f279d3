-- An optimizer that averages its own updates.
return model "emit_adadelta" {
  input { 6 },
  dense { 5, activation = "tanh" },
  dense { 3, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adadelta { 1 }, batch_size = 4 },
}
