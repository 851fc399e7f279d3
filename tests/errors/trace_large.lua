-- tests/errors/trace_large.lua:5: dense "dense": activation: its function is too large; it may have 2000 operations
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = function(x) for _ = 1, 20 do x = x * x end return x end },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
