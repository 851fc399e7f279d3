-- tests/errors/trace_raised.lua:4: no such thing
return model "m" {
  input { 8 },
  activation { function(x) error("no such thing", 0) end },
}
