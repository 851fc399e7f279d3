-- tests/errors/missing_activation.lua:4: activation "activation": activation is missing; give it the name of an activation, as "relu", or a Lua function
return model "m" {
  input { 28, 28, 1 },
  activation {},
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
