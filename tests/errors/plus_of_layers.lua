-- tests/errors/plus_of_layers.lua:3: layers do not add up with operators; write add {} { x, y }
local x = input { 8 }
local y = x + dense { 8 } (x)
