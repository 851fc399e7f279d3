-- tests/errors/input_before_options.lua:3: dense: its options come before its input; write dense { ... } (x)
local x = input { 8 }
local y = dense(x)
