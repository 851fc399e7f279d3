-- tests/errors/augmentation_zoom.lua:8: augmentation: zoom_range is 1.5; use a number of at least 0 and below 1
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    augmentation = { zoom_range = 1.5 },
  },
}
