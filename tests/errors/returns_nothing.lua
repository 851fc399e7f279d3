-- tests/errors/returns_nothing.lua:2: the file returns nothing; end it with return model "name" { ... }
local x = 1
