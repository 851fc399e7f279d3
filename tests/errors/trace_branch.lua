-- tests/errors/trace_branch.lua:5: dense "dense": activation: its function cannot branch on its argument; use where(less(a, b), x, y)
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = function(x) if x > 0 then return x end return 0 end },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
