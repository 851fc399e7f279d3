-- tests/errors/unknown_initializer.lua:5: dense "dense": kernel_initializer "glorot_unifrom" is unknown; did you mean "glorot_uniform"?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, kernel_initializer = "glorot_unifrom" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
