-- tests/errors/negative_shape.lua:3: input "input": shape is { 28, -1 }; use one to five sizes, as { 28, 28, 1 }
return model "m" {
  input { 28, -1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
