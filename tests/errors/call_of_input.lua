-- tests/errors/call_of_input.lua:3: input: an input takes no layer before it; use it as it is
local x = input { 8 }
local y = x(x)
