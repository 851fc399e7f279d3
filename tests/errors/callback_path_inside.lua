-- tests/errors/callback_path_inside.lua:8: tensorboard: log_dir is the text "a/../../b"; use a path below the directory of the run, as "logs", without ..
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { tensorboard { "a/../../b" } },
  },
}
