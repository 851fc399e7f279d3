-- tests/errors/unknown_activation_far.lua:5: dense "dense": activation "swish" is unknown; use relu, leaky_relu, elu, sigmoid, softmax, tanh, gelu or linear, or a Lua function
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = "swish" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
