-- tests/errors/sparse_without_activation.lua:5: dense "scores": it has no activation, which does not suit the loss sparse_categorical_crossentropy; use activation = "softmax"
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, name = "scores" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
