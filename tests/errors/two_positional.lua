-- tests/errors/two_positional.lua:4: conv2d "conv2d": 3 has no name; only filters may stand first without its name
return model "m" {
  input { 28, 28, 1 },
  conv2d { 8, 3 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
