-- tests/errors/trace_kept_alone.lua:5: dense "dense_1": activation: its function uses the argument of another function, which was kept; use numbers and its own arguments
local kept
return model "m" {
  input { 8 }, dense { 4, activation = function(x) kept = kept or x * x return kept end },
  dense { 4, activation = function() return kept end },
}
