-- tests/errors/memory_at_once.lua: it needs more than 256 MiB of memory; a model file only describes layers
local s = ("x"):rep(1e9)
