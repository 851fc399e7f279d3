-- tests/errors/cycle.lua:5: add: its input dense (line 4) has no input itself; call that layer first: a model has no cycles
local x = input { 8 }
local a = add {}
local b = dense { 8 }
a { x, b }
b(a)
return model "m" { inputs = x, outputs = b }
