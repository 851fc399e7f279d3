-- tests/errors/field_of_nil.lua:3: attempt to index a nil value (local 'options')
local options
local n = options.units
