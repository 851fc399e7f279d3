-- Three groups of three convolutions with ever more filters; MNIST, 0.986 after 5 epochs.

local layers = { input { 28, 28, 1 } }
for _, group in ipairs { { 8, 9, 10 }, { 20, 21, 22 }, { 44, 45, 46 } } do
  for _, filters in ipairs(group) do
    layers[#layers + 1] = conv2d { filters, kernel_size = 3, padding = "same", activation = "relu" }
  end
  layers[#layers + 1] = max_pool2d { 2 }
end

return model "a1_cnn_increasing" {
  layers,
  conv2d { 160, kernel_size = 3, padding = "same", activation = "relu" },
  flatten {},
  dense { 80, activation = "relu" },
  dense { 10, activation = "softmax" },

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = 1e-3 },
    batch_size = 64,
    epochs = 5,
  },
}
