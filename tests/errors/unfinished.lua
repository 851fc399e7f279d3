-- tests/errors/unfinished.lua:4: unexpected symbol near <eof>
return model "m" {
  input { 4 },
