-- tests/errors/given_twice.lua:5: dense "dense": units is given twice, as the first value and by name
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, units = 32 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
