-- tests/errors/layer_twice.lua:2: dense: it stands in the list twice, or was called with an input; in a list each layer takes the one before it
local hidden = dense { 32 }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  hidden,
  hidden,
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
