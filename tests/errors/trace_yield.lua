-- tests/errors/trace_yield.lua:4: attempt to yield from outside a coroutine
return model "m" {
  input { 8 },
  activation { function(x) return coroutine.yield(1) end },
}
