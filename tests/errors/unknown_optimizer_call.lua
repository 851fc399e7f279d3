-- tests/errors/unknown_optimizer_call.lua:8: unknown name adma; did you mean adam?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adma {},
  },
}
