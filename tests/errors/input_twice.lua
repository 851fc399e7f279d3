-- tests/errors/input_twice.lua:5: input: an input stands first; for a model of several branches use inputs = ... and outputs = ...
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  input { 10 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
