-- tests/errors/pool_on_vector.lua:4: max_pool2d "max_pool2d": its input has the shape { 784 }; it takes images { height, width, channels }: put a reshape before it, or input { 28, 28, 1 } for gray images
return model "m" {
  input { 784 },
  max_pool2d {},
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
