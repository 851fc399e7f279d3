-- tests/errors/missing_units.lua:5: dense "dense": units is missing; give it a whole number of at least 1
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
