-- tests/errors/numbers_nil.lua:4: sigmoid: its argument 1 is nil; give it a number
return model "m" {
  input { 8 },
  activation { function(x) return x * sigmoid(nil) end },
}
