-- tests/errors/two_outputs.lua:3: model "m": outputs is a list of 2; give one layer
local x = input { 8 }
return model "m" { inputs = x, outputs = { dense { 2 } (x), dense { 2 } (x) } }
