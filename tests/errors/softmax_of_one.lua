-- tests/errors/softmax_of_one.lua:5: dense "dense": softmax of a single value is always 1; use activation = "sigmoid", or give the layer one output for each class
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 1, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
