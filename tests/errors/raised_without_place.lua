-- tests/errors/raised_without_place.lua:2: boom
error("boom", 0)
