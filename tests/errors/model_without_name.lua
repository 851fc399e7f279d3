-- tests/errors/model_without_name.lua:2: model: its name is a table; write model "name" { ... }
return model { input { 28, 28, 1 } }
