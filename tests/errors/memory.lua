-- tests/errors/memory.lua: it needs more than 256 MiB of memory; a model file only describes layers
local t = {}
for i = 1, 1e9 do t[i] = ("x"):rep(100000) .. i end
