-- tests/errors/input_missing.lua:3: flatten: the first layer of a model is its input; put input { height, width, channels } before it
return model "m" {
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
