-- tests/errors/name_not_text.lua:5: dense: name is 7; use a text, as name = "first"
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, name = 7 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
