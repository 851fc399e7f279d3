-- tests/errors/inputs_key_zero.lua:3: add: its list of inputs has the key 0; write the inputs one after the other
local x = input { 8 }
local y = add {} { [0] = dense { 8 } (x), x, x }
return model "m" { inputs = x, outputs = y }
