-- tests/errors/unknown_layer.lua:4: unknown name conv2b; did you mean conv2d?
return model "m" {
  input { 28, 28, 1 },
  conv2b { 8, kernel_size = 3 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
