-- Nothing learns: steps only measure.
return model "emit_frozen" {
  input { 5, 3 },
  flatten {},
  dense { 6, activation = "softmax", trainable = false },
  training = { loss = "sparse_categorical_crossentropy", optimizer = sgd {}, batch_size = 6 },
}
