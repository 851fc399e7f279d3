-- tests/errors/augmentation_fill_mode.lua:8: augmentation: fill_mode is the text "wrap"; use "nearest" or "constant"
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    augmentation = { fill_mode = "wrap" },
  },
}
