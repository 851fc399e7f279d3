-- tests/errors/training_not_table.lua:6: training: it is the optimizer adam; use { loss = "...", optimizer = adam {} }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = adam {},
}
