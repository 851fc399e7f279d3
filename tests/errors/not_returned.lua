-- tests/errors/not_returned.lua:2: model "m": the file does not return it; write return in front of it
model "m" {
  input { 4 },
  dense { 2 },
}
