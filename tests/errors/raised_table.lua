-- tests/errors/raised_table.lua:2: the file raises a table as its error
error { 1 }
