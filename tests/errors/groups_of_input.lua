-- tests/errors/groups_of_input.lua:4: conv2d "conv2d": 4 groups do not divide its 6 input channels evenly; use a number of groups that divides 6
return model "m" {
  input { 8, 8, 6 },
  conv2d { 8, kernel_size = 3, groups = 4 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
