-- tests/errors/unknown_loss.lua:7: training: loss "sparse_crossentropy" is unknown; did you mean "sparse_categorical_crossentropy"?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_crossentropy",
  },
}
