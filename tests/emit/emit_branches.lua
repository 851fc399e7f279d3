-- A graph: branches, groups, dilation, average pooling, an activation and a learning rate in Lua.
local function swish(x) return x * sigmoid(x) end

local x = input { 8, 8, 4 }
local y = conv2d { 6, kernel_size = { 3, 1 }, groups = 2, padding = "same", activation = swish } (x)
-- A bias before normalization has no gradient but rounding, which rmsprop would blow up.
local z = conv2d { 6, kernel_size = 3, dilation_rate = 2, padding = "same", use_bias = false } (x)
local pooled = average_pool2d { 3, strides = 1, padding = "same" } (x)
local joined = concatenate {} { add {} { y, z }, pooled }
local features = global_average_pool2d {} (batch_norm {} (joined))
return model "emit_branches" {
  inputs = x,
  outputs = dense { 1, activation = "sigmoid" } (features),
  training = {
    loss = "binary_crossentropy",
    optimizer = rmsprop {
      learning_rate = function(step) return 1e-3 / (1 + step / 5) end,
      momentum = 0.5,
    },
    batch_size = 8,
  },
}
