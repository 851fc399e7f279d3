-- tests/errors/epsilon_zero.lua:4: batch_norm "batch_norm": epsilon is 0; use a number above 0
return model "m" {
  input { 28, 28, 1 },
  batch_norm { epsilon = 0 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
