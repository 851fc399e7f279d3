-- tests/errors/constant_without_value.lua:5: dense "dense": bias_initializer has no value; use constant { value }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, bias_initializer = "constant" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
