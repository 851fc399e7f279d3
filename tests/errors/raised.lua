-- tests/errors/raised.lua:2: no such data
error "no such data"
