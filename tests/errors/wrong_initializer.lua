-- tests/errors/wrong_initializer.lua:5: dense "dense": kernel_initializer is the optimizer adam; use the name of an initializer, as "glorot_uniform", or constant { value }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, kernel_initializer = adam {} },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
