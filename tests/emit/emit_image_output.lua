-- An image in, an image out: the order of the axes matters at both ends, and of the labels.
return model "emit_image_output" {
  input { 5, 4, 3 },
  conv2d { 6, kernel_size = 3, padding = "same", activation = "tanh" },
  conv2d { 2, kernel_size = 2 },
  training = { loss = "mean_squared_error", optimizer = rmsprop {}, batch_size = 6 },
}
