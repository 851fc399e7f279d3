-- tests/errors/trace_too_many_symbols.lua:5: training: loss: its function gives log 3 arguments; it takes 2
return model "m" {
  input { 8 },
  dense { 4 },
  training = { loss = function(y, p) return math.log(y, p, p) end },
}
