-- tests/errors/dense_of_two.lua:3: dense "dense": it has 2 inputs, but takes 1; join them with add {} { x, y } or concatenate {} { x, y }
local x = input { 8 }
return model "m" { inputs = x, outputs = dense { 2 } { x, x } }
