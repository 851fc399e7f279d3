-- tests/errors/item_nil.lua:3: model "m": item 3 is nil; does a function that makes it lack its return?
local function block() dense { 3 } end
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  (block()),
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
