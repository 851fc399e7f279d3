-- tests/errors/dangling_input.lua:3: input "other": the outputs depend on it, but it is not the model's inputs; use one input
local x = input { 8 }
local z = input { 8, name = "other" }
return model "m" { inputs = x, outputs = add {} { x, z } }
