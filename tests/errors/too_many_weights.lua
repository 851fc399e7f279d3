-- tests/errors/too_many_weights.lua:6: dense "dense_1": it has more than 2147483647 weights; make it smaller
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 100000 },
  dense { 100000 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
