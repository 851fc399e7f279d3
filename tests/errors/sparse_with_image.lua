-- tests/errors/sparse_with_image.lua:4: dense "dense": its output { 28, 28, 10 } does not suit the loss sparse_categorical_crossentropy, which takes one value for each class; put flatten {} or global_average_pool2d {} before the last dense layer
return model "m" {
  input { 28, 28, 1 },
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
