-- tests/errors/window_too_large.lua:4: conv2d "conv2d": its window of 5x5 does not fit its input of 4x4; use padding = "same", or a smaller window
return model "m" {
  input { 4, 4, 1 },
  conv2d { 8, kernel_size = 5 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
