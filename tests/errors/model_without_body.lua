-- tests/errors/model_without_body.lua:2: model "m": it has no layers; write model "m" { ... }
return model "m"
