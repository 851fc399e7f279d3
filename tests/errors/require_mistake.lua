-- tests/errors/unknown_option.lua:2: model "m": the file does not return it; write return in front of it
local blocks = require "unknown_option"
