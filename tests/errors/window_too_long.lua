-- tests/errors/window_too_long.lua:4: average_pool2d "average_pool2d": its window of 2147483647x2147483647 is longer than 65536 pixels; use a smaller one
return model "m" {
  input { 7, 5, 3 },
  average_pool2d { 2147483647, strides = 2, padding = "same" },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
