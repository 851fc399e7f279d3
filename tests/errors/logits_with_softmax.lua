-- tests/errors/logits_with_softmax.lua:5: dense "dense": it has the activation softmax, which does not suit the loss sparse_categorical_crossentropy with from_logits = true; use no activation, or from_logits = false
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    from_logits = true,
  },
}
