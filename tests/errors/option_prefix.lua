-- tests/errors/option_prefix.lua:4: conv2d "conv2d": unknown option "kernel"; did you mean kernel_size?
return model "m" {
  input { 28, 28, 1 },
  conv2d { 8, kernel = 3 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
