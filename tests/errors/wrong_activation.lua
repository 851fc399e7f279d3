-- tests/errors/wrong_activation.lua:5: dense "dense": activation is 3; use the name of an activation, as "relu", or a Lua function
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = 3 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
