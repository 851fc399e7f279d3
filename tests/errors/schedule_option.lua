-- tests/errors/schedule_option.lua:8: exponential_decay: decay_rate is missing; give it a number above 0
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = sgd { exponential_decay { 0.1, decay_steps = 100 } },
  },
}
