-- tests/errors/list_key_fraction.lua:2: model "m": a list of its layers has the key 1.5; write the layers one after the other
return model "m" { [1.5] = dense { 3 }, input { 8 } }
