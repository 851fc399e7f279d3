-- tests/errors/outputs_missing.lua:3: model "m": outputs is missing; a graph has inputs = x and outputs = y
local x = input { 8 }
return model "m" { inputs = x }
