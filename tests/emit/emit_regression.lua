-- Values instead of classes: no accuracy, a schedule in stairs, constants to begin with.
return model "emit_regression" {
  input { 5, 3 },
  flatten {},
  dense { 10, activation = "leaky_relu", kernel_initializer = "glorot_normal",
          bias_initializer = constant(0.125) },
  dense { 2 },
  training = {
    loss = "mean_squared_error",
    optimizer = sgd {
      momentum = 0.9, nesterov = true,
      learning_rate = exponential_decay {
        initial_learning_rate = 0.02, decay_steps = 3, decay_rate = 0.5, staircase = true,
      },
    },
    batch_size = 5,
  },
}
