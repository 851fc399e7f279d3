-- tests/errors/unused_input.lua:3: input: the outputs depend on it, but it is not the model's inputs; use one input
local x = input { 8 }
local z = input { 8 }
return model "m" { inputs = x, outputs = dense { 2 } (z) }
