-- Images, a batch that is no multiple of the lanes, statistics, dropout, a frozen layer.
return model "emit_images" {
  input { 9, 7, 2 },
  conv2d { 5, kernel_size = 3, padding = "same", activation = "relu", trainable = false },
  conv2d { 6, kernel_size = 3, padding = "same", activation = "relu" },
  batch_norm {},
  max_pool2d { 2 },
  dropout { 0.3 },
  conv2d { 7, kernel_size = 2, strides = 2, activation = "elu", bias_initializer = "ones" },
  flatten {},
  dense { 3, activation = "softmax" },
  training = {
    loss = "categorical_crossentropy",
    optimizer = nadam { learning_rate = 2e-3 },
    batch_size = 6,
  },
}
