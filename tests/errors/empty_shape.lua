-- tests/errors/empty_shape.lua:3: input "input": shape is missing; give it one to five sizes, as { 28, 28, 1 }
return model "m" {
  input {},
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
