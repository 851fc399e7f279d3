-- tests/errors/unknown_model_option.lua:2: model "m": unknown option "trainig"; did you mean training?
return model "m" {
  input { 28, 28, 1 },
  flatten {},
  dense { 10, activation = "softmax" },
  trainig = {},
}
