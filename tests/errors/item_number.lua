-- tests/errors/item_number.lua:2: model "m": item 3 is 32; a model is a list of layers
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  32,
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
