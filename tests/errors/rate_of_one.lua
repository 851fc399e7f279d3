-- tests/errors/rate_of_one.lua:5: dropout "dropout": rate is 1; use a number of at least 0 and below 1
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dropout { 1 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
