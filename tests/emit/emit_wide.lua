-- Convolutions whose weights are prepared once: Winograd's on row-major images.
return model "emit_wide" {
  input { 12, 13, 16 },
  conv2d { 24, kernel_size = 3, padding = "same", activation = "relu" },
  conv2d { 33, kernel_size = 3 },
  max_pool2d { 2 },
  flatten {},
  dense { 5, activation = "softmax" },

  training = { loss = "sparse_categorical_crossentropy", optimizer = sgd {}, batch_size = 1 },
}
