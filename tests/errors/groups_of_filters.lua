-- tests/errors/groups_of_filters.lua:4: conv2d "conv2d": 3 groups do not divide its 8 filters evenly; use a number of filters that is a multiple of 3
return model "m" {
  input { 8, 8, 6 },
  conv2d { 8, kernel_size = 3, groups = 3 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
