-- tests/errors/unknown_option_far.lua:4: max_pool2d "max_pool2d": unknown option "window"; it takes pool_size, strides, padding, name and trainable
return model "m" {
  input { 28, 28, 1 },
  max_pool2d { window = 2 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
