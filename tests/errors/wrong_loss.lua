-- tests/errors/wrong_loss.lua:7: training: loss is 3; use the name of a loss, as "sparse_categorical_crossentropy", or a Lua function
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = 3,
  },
}
