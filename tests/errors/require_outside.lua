-- tests/errors/require_outside.lua:2: require takes the name of a Lua file beside the model file, or in the folder above: require "blocks" reads blocks.lua
local blocks = require "../models/mnist_mlp"
