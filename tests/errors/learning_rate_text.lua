-- tests/errors/learning_rate_text.lua:8: sgd: learning_rate is the text "0.1"; use a number above 0, exponential_decay { ... } or a Lua function of the step
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = sgd { "0.1" },
  },
}
