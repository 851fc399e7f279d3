-- tests/errors/inputs_as_arguments.lua:3: add: several inputs stand in one list: add {} { x, y }
local x = input { 8 }
return model "m" { inputs = x, outputs = add {} (x, x) }
