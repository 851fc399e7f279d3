-- tests/errors/trace_base_zero.lua:4: activation "activation": activation: its function computes with -inf; use finite numbers
return model "m" {
  input { 8 },
  activation { function(x) return log(x, 0) end },
}
