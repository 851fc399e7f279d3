-- tests/errors/model_name.lua:2: model "my-model": its name is not usable in C; use letters, digits and _, at most 60, not beginning with a digit
return model "my-model" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
