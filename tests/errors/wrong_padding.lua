-- tests/errors/wrong_padding.lua:4: conv2d "conv2d": padding is the text "full"; use "valid" or "same"
return model "m" {
  input { 28, 28, 1 },
  conv2d { 8, kernel_size = 3, padding = "full" },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
