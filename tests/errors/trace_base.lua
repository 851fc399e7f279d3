-- tests/errors/trace_base.lua:4: activation "activation": activation: its function computes with nil; use numbers and its arguments
return model "m" {
  input { 8 },
  activation { function(x, base) return log(x, base) end },
}
