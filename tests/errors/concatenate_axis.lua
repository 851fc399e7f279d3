-- tests/errors/concatenate_axis.lua:3: concatenate "concatenate": its inputs have no axis 2; use -1 for the last one, or 1 to 1 (0 is the batch)
local x = input { 8 }
return model "m" { inputs = x, outputs = concatenate { axis = 2 } { x, x } }
