-- tests/errors/callback_own_file.lua:8: csv_logger: "history.csv" is a name that the run itself keeps; choose another one
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    callbacks = { csv_logger { "history.csv" } },
  },
}
