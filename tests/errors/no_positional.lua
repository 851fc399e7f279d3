-- tests/errors/no_positional.lua:4: flatten "flatten": 784 has no name; it takes name and trainable
return model "m" {
  input { 28, 28, 1 },
  flatten { 784 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
