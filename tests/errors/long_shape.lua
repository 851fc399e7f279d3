-- tests/errors/long_shape.lua:3: input "input": shape is { 1, 2, 3, 4, 5, 6 }; use one to five sizes, as { 28, 28, 1 }
return model "m" {
  input { 1, 2, 3, 4, 5, 6 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
