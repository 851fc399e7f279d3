-- tests/errors/augmentation_option.lua:8: augmentation: unknown option "horizontal_flips"; did you mean horizontal_flip?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    augmentation = { horizontal_flips = true },
  },
}
