-- tests/errors/endless_library.lua:2: the file runs for more than 200 million instructions; a model file only describes layers
("x"):rep(100):find(("x-"):rep(90) .. "y")
