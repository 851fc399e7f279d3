-- tests/errors/branch_add.lua:4: add "add": its inputs "input" { 8, 8, 3 } and "conv2d" { 6, 6, 4 } do not fit together; their shapes must be equal
local x = input { 8, 8, 3 }
local y = conv2d { 4, kernel_size = 3 } (x)
return model "m" { inputs = x, outputs = add {} { x, y } }
