-- tests/errors/trace_other.lua:5: dense "dense": activation: its function computes with the text "2"; use numbers and its arguments
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, activation = function(x) return x * "2" end },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
