-- tests/errors/unknown_training_option.lua:8: training: unknown option "epoch"; did you mean epochs?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    epoch = 5,
  },
}
