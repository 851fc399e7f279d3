-- tests/errors/bad_argument.lua:2: bad argument #2 to 'rep' (number expected, got table)
local n = ("x"):rep({})
