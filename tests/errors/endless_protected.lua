-- tests/errors/endless_protected.lua:2: the file runs for more than 200 million instructions; a model file only describes layers
while true do pcall(function() while true do end end) end
