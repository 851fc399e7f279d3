-- tests/errors/inputs_option.lua:3: add: its list of inputs has the option name; options stand in the braces before it: add { ... } { x, y }
local x = input { 8 }
local y = add {} { x, x, name = "sum" }
return model "m" { inputs = x, outputs = y }
