-- tests/errors/wrong_name.lua:5: dense "first layer": its name is not usable in C; use letters, digits and _, at most 60, not beginning with a digit
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, name = "first layer" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
