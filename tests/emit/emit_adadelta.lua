-- An optimizer that averages its own updates.
return model "emit_adadelta" {
  input { 6 },
  dense { 5, activation = "tanh" },
  dense { 3, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = adadelta {
      cosine_decay { 0.1, decay_steps = 5, alpha = 0.2, warmup_target = 2, warmup_steps = 3 },
    },
    batch_size = 4,
  },
}
