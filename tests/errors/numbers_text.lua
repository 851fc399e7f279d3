-- tests/errors/numbers_text.lua:2: log: its argument 2 is the text "two"; give it a number
local bits = math.log(8, "two")
return model "m" { input { 8 } }
