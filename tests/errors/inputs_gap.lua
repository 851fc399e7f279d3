-- tests/errors/inputs_gap.lua:3: add: its input 2 is nil; call it with a layer, or with a list of layers
local x = input { 8 }
local y = add {} { [1] = x, [3] = x }
return model "m" { inputs = x, outputs = y }
