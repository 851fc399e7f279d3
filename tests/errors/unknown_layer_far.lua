-- tests/errors/unknown_layer_far.lua:4: unknown name capsule; it is no variable, nor one of the layers input, dense, conv2d, max_pool2d, average_pool2d, global_average_pool2d, flatten, reshape, dropout, batch_norm, activation, add and concatenate
return model "m" {
  input { 28, 28, 1 },
  capsule { 8 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
