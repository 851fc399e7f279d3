-- tests/errors/schedule_warmup.lua:8: cosine_decay: warmup_target and warmup_steps belong together; give both or none
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    optimizer = sgd { cosine_decay { 0.1, decay_steps = 100, warmup_steps = 10 } },
  },
}
