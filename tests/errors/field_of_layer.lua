-- tests/errors/field_of_layer.lua:3: a layer has no field units
local x = input { 8 }
local n = x.units
