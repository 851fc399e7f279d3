-- A graph instead of a list: branches of several kernel sizes, joined, and a residual connection.
-- Also shows an activation and a learning rate written as Lua functions.

local function swish(x) return x * sigmoid(x) end

local function convolution(filters, kernel_size, x)
  return conv2d { filters, kernel_size = kernel_size, padding = "same", activation = swish } (x)
end

local x = input { 28, 28, 1 }
local wide = {}
for i, kernel_size in ipairs { 1, 3, 5 } do wide[i] = convolution(8, kernel_size, x) end
local joined = max_pool2d { 2 } (concatenate {} (wide))
local residual = add {} { joined, convolution(24, { 3, 3 }, batch_norm {} (joined)) }
local features = global_average_pool2d {} (convolution(48, 3, max_pool2d { 2 } (residual)))

return model "branches" {
  inputs = x,
  outputs = dense { 10, activation = "softmax", name = "classes" } (features),

  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adam { learning_rate = function(step) return 2e-3 / (1 + step / 1000) end },
    batch_size = 64,
    epochs = 3,
  },
}
