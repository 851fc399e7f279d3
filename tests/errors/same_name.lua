-- tests/errors/same_name.lua:6: dense "hidden": its name is already that of dense (line 5); give it another one
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, name = "hidden" },
  dense { 16, name = "hidden" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
