-- tests/errors/pair_of_three.lua:4: conv2d "conv2d": kernel_size is { 3, 3, 3 }; use a whole number of at least 1, or a pair of them { height, width }
return model "m" {
  input { 28, 28, 1 },
  conv2d { 8, kernel_size = { 3, 3, 3 } },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
