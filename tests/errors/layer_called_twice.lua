-- tests/errors/layer_called_twice.lua:4: dense: it already has its inputs (line 3); make a second layer to use it twice
local x = input { 8 }
local d = dense { 8 }
local y = d(d(x))
