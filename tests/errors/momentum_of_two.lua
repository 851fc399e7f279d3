-- tests/errors/momentum_of_two.lua:4: batch_norm "batch_norm": momentum is 2; use a number of at least 0 and below 1
return model "m" {
  input { 28, 28, 1 },
  batch_norm { momentum = 2 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
