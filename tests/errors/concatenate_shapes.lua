-- tests/errors/concatenate_shapes.lua:6: concatenate "concatenate": its inputs "input" { 8, 8, 3 } and "conv2d" { 6, 6, 4 } do not fit together; their shapes may differ along one axis only, the one they are joined by
local x = input { 8, 8, 3 }
local y = conv2d { 4, kernel_size = 3 } (x)
return model "m" {
  inputs = x,
  outputs = concatenate {} { x, y },
}
