-- tests/errors/trace_infinite.lua:5: dense "dense": activation: its function computes with -inf; use finite numbers
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = function(x) return max(x, -math.huge) end },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
