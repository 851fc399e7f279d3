-- tests/errors/optimizer_option.lua:8: adam: unknown option "lr"; did you mean learning_rate?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { lr = 1e-3 },
  },
}
