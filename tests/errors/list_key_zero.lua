-- tests/errors/list_key_zero.lua:2: model "m": a list of its layers has the key 0; write the layers one after the other
return model "m" {
  input { 8 },
  { [0] = dense { 3 }, dense { 3 } },
}
