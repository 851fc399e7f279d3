-- tests/errors/endless_coroutines.lua:2: the file runs for more than 200 million instructions; a model file only describes layers
while true do coroutine.wrap(function() end)() end
