-- tests/errors/binary_with_softmax.lua:5: dense "dense": it has the activation softmax, which does not suit the loss binary_crossentropy; use activation = "sigmoid"
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "binary_crossentropy",
  },
}
