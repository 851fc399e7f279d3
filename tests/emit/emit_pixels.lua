-- Dense layers at each pixel, of images of few pixels.
return model "emit_pixels" {
  input { 2, 2, 2 },
  conv2d { 9, kernel_size = 5, strides = 3, padding = "same", activation = "relu" },
  dense { 8 },
  dense { 5 },
  average_pool2d { 1 },
  flatten {},
  dense { 1, use_bias = false, activation = "sigmoid" },
  training = { loss = "mean_squared_error", optimizer = adagrad { learning_rate = 0.02 }, batch_size = 10 },
}
