-- tests/errors/add_of_one.lua:5: add "add": it has 1 input, but takes at least 2; call it with a list of layers: add {} { x, y }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  add {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
