-- tests/errors/syntax_error.lua:5: '}' expected (to close '{' at line 4) near 'flatten'
local blocks = require "syntax_error"
