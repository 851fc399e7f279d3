-- tests/errors/fractional_units.lua:5: dense "dense": units is 12.5; use a whole number of at least 1
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 12.5 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
