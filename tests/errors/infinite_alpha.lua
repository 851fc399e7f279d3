-- tests/errors/infinite_alpha.lua:5: constant: value is inf; use a finite number
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, kernel_initializer = constant { 1 / 0 }, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
