-- tests/errors/require_wrong.lua:2: require takes the name of a Lua file beside the model file, or in the folder above: require "blocks" reads blocks.lua
local blocks = require "modules.broken"
