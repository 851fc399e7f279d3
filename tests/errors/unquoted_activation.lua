-- tests/errors/unquoted_activation.lua:5: unknown name softmax; did you mean the text "softmax", in quotes?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = softmax },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
