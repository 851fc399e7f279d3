-- tests/errors/io.lua:2: unknown name io; it is no variable, nor one of the layers input, dense, conv2d, max_pool2d, average_pool2d, global_average_pool2d, flatten, reshape, dropout, batch_norm, activation, add and concatenate
io.open("secret")
