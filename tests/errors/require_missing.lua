-- tests/errors/require_missing.lua:2: module "no_such_module" cannot be read: tests/errors/no_such_module.lua: No such file or directory; put it beside the model file, or in the folder above
local blocks = require "no_such_module"
