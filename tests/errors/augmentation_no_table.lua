-- tests/errors/augmentation_no_table.lua:8: training: augmentation is true; use a table, as { width_shift_range = 2, horizontal_flip = true }
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    augmentation = true,
  },
}
