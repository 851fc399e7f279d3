-- tests/errors/list_without_layer.lua:2: model "m": a list inside it has the option activation, but no layer's name in front; write for example dense { ... }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  { 32, activation = "relu" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
