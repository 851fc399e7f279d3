-- tests/errors/negative_filters.lua:4: conv2d "conv2d": filters is -8; use a whole number of at least 1
return model "m" {
  input { 28, 28, 1 },
  conv2d { -8, kernel_size = 3 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
