-- tests/errors/options_without_braces.lua:3: dense: options stand in braces; write dense { ... }
local x = input { 8 }
local y = dense(2, "relu")
