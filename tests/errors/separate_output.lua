-- tests/errors/separate_output.lua:3: dense: it has no input; call it: dense { ... } (x)
local x = input { 8 }
local d = dense { 2 }
return model "m" { inputs = x, outputs = d }
