-- tests/errors/wrong_trainable.lua:5: dense "dense": trainable is the text "no"; use true or false
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 16, trainable = "no" },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
