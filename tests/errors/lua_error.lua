-- tests/errors/lua_error.lua:2: attempt to perform arithmetic on a nil value
local n = nil + 1
