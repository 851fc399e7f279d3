-- tests/errors/odd_key.lua:5: dense "dense": true is no name of an option
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, [true] = 1 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
