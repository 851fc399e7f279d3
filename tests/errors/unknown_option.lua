-- tests/errors/unknown_option.lua:4: conv2d "conv_3": unknown option "filter"; did you mean filters?
return model "m" {
  input { 28, 28, 1 },
  conv2d { filter = 8, kernel_size = 3, name = "conv_3" },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
