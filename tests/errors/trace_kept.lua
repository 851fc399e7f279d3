-- tests/errors/trace_kept.lua:7: sgd: learning_rate: its function uses the argument of another function, which was kept; use numbers and its own arguments
local kept
return model "m" {
  input { 8, 8 }, flatten {}, dense { 4 },
  training = {
    loss = function(y, p) kept = p return (y - p) * (y - p) end,
    optimizer = sgd { learning_rate = function(step) return kept + 0.1 end },
  },
}
