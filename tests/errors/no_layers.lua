-- tests/errors/no_layers.lua:2: model "m": it has no layers; begin with input { height, width, channels }
return model "m" {}
