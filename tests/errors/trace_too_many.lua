-- tests/errors/trace_too_many.lua:4: activation "activation": activation: its function gives exp 2 arguments; it takes 1
return model "m" {
  input { 8 },
  activation { function(x) return exp(x, 2) end },
}
