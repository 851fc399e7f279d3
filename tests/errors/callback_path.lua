-- tests/errors/callback_path.lua:8: csv_logger: filename is the text "../log.csv"; use a path below the directory of the run, as "logs", without ..
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { csv_logger { "../log.csv" } },
  },
}
