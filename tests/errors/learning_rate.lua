-- tests/errors/learning_rate.lua:8: adam: learning_rate is -1; use a number above 0, exponential_decay { ... } or a Lua function of the step
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = -1 },
  },
}
