-- tests/errors/numbers_missing.lua:4: max: its argument 1 is nil; give it a number
return model "m" {
  input { 8 },
  activation { function(x) return x + max() end },
}
