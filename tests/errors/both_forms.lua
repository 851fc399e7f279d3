-- tests/errors/both_forms.lua:3: model "m": it has both a list of layers and inputs or outputs; use one form
local x = input { 8 }
return model "m" { x, inputs = x, outputs = dense { 2 } (x) }
