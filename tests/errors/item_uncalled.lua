-- tests/errors/item_uncalled.lua:2: model "m": item 2 is flatten without its options; write flatten { ... }
return model "m" {
  input { 28, 28, 1 },
  flatten,
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
