-- tests/errors/endless.lua:2: the file runs for more than 200 million instructions; a model file only describes layers
while true do end
