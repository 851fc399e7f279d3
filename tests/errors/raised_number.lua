-- tests/errors/raised_number.lua:3: 42
local x = 1
error(42)
