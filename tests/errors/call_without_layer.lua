-- tests/errors/call_without_layer.lua:3: dense: its input is 3; call it with a layer, or with a list of layers
local x = input { 8 }
local y = dense { 2 } (3)
