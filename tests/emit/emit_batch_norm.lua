-- Batch normalization in every place: what folds into weights, and what must not.
local x = input { 10, 9, 3 }
local y = conv2d { 8, kernel_size = 3, padding = "same", use_bias = false } (x)
y = activation { "relu" } (batch_norm {} (y)) -- into the convolution before
y = conv2d { 12, kernel_size = 3, padding = "same", activation = "relu" } (y)
y = max_pool2d { 2 } (batch_norm {} (y)) -- stays: ReLU before, pooling behind
y = conv2d { 12, kernel_size = 3, padding = "same", groups = 3 } (y)
y = activation { "relu" } (batch_norm { scale = false } (y)) -- into grouped kernels
y = batch_norm {} (y)
y = conv2d { 10, kernel_size = { 2, 3 }, activation = "relu" } (y) -- into the valid one behind
y = batch_norm { center = false } (y)
y = conv2d { 8, kernel_size = 1, activation = "relu" } (y) -- the same, 1x1
y = batch_norm {} (y)
local z = conv2d { 8, kernel_size = 3, padding = "same" } (y) -- stays: the zeros of the padding
y = add {} { y, batch_norm {} (z) } -- into the convolution before; its input is read twice
y = dropout { 0.3 } (batch_norm {} (activation { "relu" } (y)))
y = dense { 16 } (flatten {} (y)) -- through dropout and flatten into the dense layer
y = activation { "relu" } (batch_norm {} (y)) -- on both sides of one dense layer
return model "emit_batch_norm" { inputs = x, outputs = dense { 5, activation = "softmax" } (y),
  training = { loss = "sparse_categorical_crossentropy", optimizer = sgd { 0.1 }, batch_size = 6 } }
