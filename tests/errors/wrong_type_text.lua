-- tests/errors/wrong_type_text.lua:5: dense "dense": units is the text "128"; use a whole number of at least 1
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { "128" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
