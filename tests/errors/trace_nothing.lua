-- tests/errors/trace_nothing.lua:5: dense "dense": activation: its function returns nil; return an expression of its argument
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = function(x) local y = x * x end },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
