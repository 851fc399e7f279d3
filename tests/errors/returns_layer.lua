-- tests/errors/returns_layer.lua:3: the file returns the layer input; end it with return model "name" { ... }
local x = input { 4 }
return x
