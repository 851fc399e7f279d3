-- tests/errors/conv_on_vector.lua:4: conv2d "conv2d": its input has the shape { 784 }; it takes images { height, width, channels }: put a reshape before it, or input { 28, 28, 1 } for gray images
return model "m" {
  input { 784 },
  conv2d { 8, kernel_size = 3 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = { loss = "sparse_categorical_crossentropy", optimizer = adam {} },
}
