-- tests/errors/pool_too_large.lua:4: average_pool2d "average_pool2d": its window of 2x2 does not fit its input of 4x1; use padding = "same", or a smaller window
return model "m" {
  input { 4, 1, 1 },
  average_pool2d { 2 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
