-- tests/errors/axis.lua:4: batch_norm "batch_norm": its input has no axis 4; use -1 for the last one, or 1 to 3 (0 is the batch)
return model "m" {
  input { 28, 28, 1 },
  batch_norm { axis = 4 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
