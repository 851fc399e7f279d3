-- tests/errors/unknown_activation.lua:5: dense "dense": activation "rleu" is unknown; did you mean "relu"?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = "rleu" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
