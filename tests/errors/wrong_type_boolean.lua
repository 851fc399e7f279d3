-- tests/errors/wrong_type_boolean.lua:5: dense "dense": use_bias is 0; use true or false
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 128, use_bias = 0 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
