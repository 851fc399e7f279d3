-- tests/errors/outputs_uncalled.lua:3: model "m": outputs is dense without its options; write dense { ... }
local x = input { 8 }
return model "m" { inputs = x, outputs = dense }
