-- tests/errors/reshape_open.lua:4: reshape "reshape": { 5, -1 } has not as many elements as its input { 28, 28, 1 }; the product of the sizes must be 784
return model "m" {
  input { 28, 28, 1 },
  reshape { 5, -1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
