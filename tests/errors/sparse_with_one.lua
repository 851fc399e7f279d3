-- tests/errors/sparse_with_one.lua:5: dense "dense": its single output does not suit the loss sparse_categorical_crossentropy; use one output for each class with softmax, or the loss binary_crossentropy with sigmoid
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 1, activation = "sigmoid" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
