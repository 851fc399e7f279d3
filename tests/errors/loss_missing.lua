-- tests/errors/loss_missing.lua:6: training: loss is missing; give it the name of a loss, as "sparse_categorical_crossentropy", or a Lua function
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    optimizer = adam {},
  },
}
