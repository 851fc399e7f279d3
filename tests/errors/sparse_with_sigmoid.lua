-- tests/errors/sparse_with_sigmoid.lua:5: dense "dense": it has the activation sigmoid, which does not suit the loss sparse_categorical_crossentropy; use activation = "softmax"
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "sigmoid" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
