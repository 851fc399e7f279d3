-- tests/errors/metrics.lua:8: training: metrics is { "precision" }; use { "accuracy" } or {}
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  training = {
    loss = "sparse_categorical_crossentropy",
    metrics = { "precision" },
  },
}
