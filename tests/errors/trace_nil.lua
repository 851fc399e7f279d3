-- tests/errors/trace_nil.lua:5: dense "dense": activation: its function computes with nil; use numbers and its arguments
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = function(x, alpha) return x * alpha end },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
