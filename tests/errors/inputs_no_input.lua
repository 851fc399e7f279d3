-- tests/errors/inputs_no_input.lua:3: model "m": inputs is the layer dense; make it with input { height, width, channels }
local x = dense { 8 } (input { 8 })
return model "m" { inputs = x, outputs = dense { 2 } (x) }
