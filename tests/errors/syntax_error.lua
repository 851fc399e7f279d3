-- tests/errors/syntax_error.lua:5: '}' expected (to close '{' at line 4) near 'flatten'
return model "m" {
  input { 28, 28, 1 },
  conv2d { 8, kernel_size = 3
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
