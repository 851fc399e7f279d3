-- nn.lua: the language of model files, on top of Lua.
--
--   return model "name" {                      a list of layers, one after the other, or
--     input { 28, 28, 1 },
--     conv2d { 32, kernel_size = 3, activation = "relu" },
--     ...,
--     training = { loss = "...", optimizer = adam {}, batch_size = 32, epochs = 5 },
--   }
--   local x = input { 32, 32, 3 }              a graph: a layer is called with its inputs
--   local y = add {} { conv2d { 8, kernel_size = 1 } (x), dense { 8 } (x) }
--   return model "name" { inputs = x, outputs = y, training = { ... } }
--
-- The first value in braces is a layer's main option (units, filters, pool_size, rate, activation,
-- target_shape); a list inside the list of layers stands for its layers. The constructors stand in
-- the table of compiler/layers/layers.c, with their options; optimizers in optimizer.c.
--
-- An activation, a loss or a learning rate may be a Lua function. It is called once, with symbols in
-- place of numbers, and the expression that it returns is compiled, differentiated and fused:
--   activation    = function(x) return x * sigmoid(x) end
--   loss          = function(y, p) return abs(y - p) end       -- y: true, p: predicted
--   learning_rate = function(step) return 0.1 / (1 + 0.01 * step) end      -- step: from 0
-- Symbols know + - * / ^ // % and unary minus, and the functions
--   exp log sqrt tanh sin cos abs erf floor max min sigmoid relu    (also as math.exp, ...)
--   log(x, base)
--   less(a, b) less_equal(a, b) greater(a, b) greater_equal(a, b) equal(a, b)      1 or 0
--   where(condition, a, b)                                         a where condition is not 0
-- They cannot be compared with < or ==, nor decide an if: the result must be one expression for
-- every element.
--
-- Runs after sandbox.lua, with the functions of sandbox.c and model_read.c in `host`:
--   host.where()      file and line of the model file's code that is running
--   host.kinds        { conv2d = "layer", adam = "optimizer", ... }
--   host.tanh, erf    of numbers
-- Returns describe and trace, for model_read.c, and what sweep.lua shares.
local host = ...

local type, error, next, rawget, tostring = type, error, next, rawget, tostring
local ipairs, select, setmetatable, tonumber = ipairs, select, setmetatable, tonumber
local math_type, larger, smaller = math.type, math.max, math.min
local format, sort, unpack = string.format, table.sort, table.unpack
local where_am_i = host.where

-- What the compiler knows of an object of the language; the object itself is empty.
local private = setmetatable({}, { __mode = "k" })

local function fail(file, line, message)
  error(format("%s:%d: %s", file, line, message), 0)
end

local function fail_here(message)
  local file, line = where_am_i()
  fail(file, line, message)
end

local function object(metatable, fields)
  local proxy = setmetatable({}, metatable)
  private[proxy] = fields
  return proxy
end

local function kind_of(value) -- "layer", "optimizer", ..., or nil for what is not of the language
  local fields = type(value) == "table" and private[value]
  return fields and fields.type or nil
end

local function described(value) -- for messages: what a value is
  local fields = type(value) == "table" and private[value]
  if fields and fields.kind then return (fields.type == "layer" and "the layer " or "") .. fields.kind end
  if fields then return "a " .. fields.type end
  if value == nil then return "nil" end
  if type(value) == "string" then return format("the text %q", value) end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return "a " .. type(value)
end

-- An object of the language whose parts are not for model files.
local function class(name)
  return {
    __name = name,
    __metatable = name,
    __index = function(_, key)
      fail_here(format("a %s has no field %s", name, tostring(key)))
    end,
    __newindex = function() fail_here(format("a %s cannot be changed; write its options in { }", name)) end,
    __tostring = function(self) return described(self) end,
  }
end

----------------------------------------------------------------------------------------------------
-- Layers, optimizers, schedules, initializers

local Layer, Model, Header = class "layer", class "model", class "model without layers"
local Setting = class "setting"

local constructors = {} -- function -> name
local serial = 0        -- calls of layers in order: inputs always come first

local function layer_title(fields)
  local name = rawget(fields.options, "name")
  return type(name) == "string" and format("%s %q", fields.kind, name) or fields.kind
end

local function connect(layer, inputs)
  local fields = private[layer]
  serial = serial + 1
  fields.inputs, fields.serial = inputs, serial
end

-- The last place of a list; calls `other` with each key that is none of 1, 2, ...
local function last_place(list, other)
  local last = 0
  for key in next, list do
    if math_type(key) == "integer" and key > 0 then last = larger(last, key) else other(key) end
  end
  return last
end

-- `conv2d { ... } (x)` and `add {} { x, y }`: gives the layer its inputs.
function Layer.__call(self, argument, ...)
  local fields = private[self]
  local function wrong(message)
    local file, line = where_am_i()
    fail(file, line, layer_title(fields) .. ": " .. message)
  end
  if fields.kind == "input" then wrong("an input takes no layer before it; use it as it is") end
  if fields.inputs then
    wrong(format("it already has its inputs (line %d); make a second layer to use it twice", fields.line))
  end
  if select("#", ...) > 0 then
    wrong(format("several inputs stand in one list: %s {} { x, y }", fields.kind))
  end
  local inputs = kind_of(argument) == "layer" and { argument } or argument
  if type(inputs) ~= "table" or private[inputs] then
    wrong(format("its input is %s; call it with a layer, or with a list of layers", described(argument)))
  end
  local list = {}
  local last = last_place(inputs, function(key)
    if math_type(key) then
      wrong(format("its list of inputs has the key %s; write the inputs one after the other", tostring(key)))
    end
    wrong(format("its list of inputs has the option %s; options stand in the braces before it: "
      .. "%s { ... } { x, y }", tostring(key), fields.kind))
  end)
  for i = 1, last do
    local input = rawget(inputs, i)
    if kind_of(input) ~= "layer" then
      wrong(format("its input %d is %s; call it with a layer, or with a list of layers", i, described(input)))
    end
    if not private[input].inputs then
      wrong(format("its input %s (line %d) has no input itself; call that layer first: a model has no cycles",
        layer_title(private[input]), private[input].line))
    end
    list[i] = input
  end
  if #list == 0 then wrong("its list of inputs is empty; write the layers that it takes") end
  connect(self, list)
  return self
end

-- `x + y` of layers is a natural slip.
local function no_arithmetic()
  fail_here("layers do not add up with operators; write add {} { x, y }")
end
for _, event in ipairs { "__add", "__sub", "__mul", "__div", "__concat" } do Layer[event] = no_arithmetic end

-- The options of a constructor: a table, or the main option alone as in activation "relu".
local function options_of(kind, argument, count)
  if kind_of(argument) == "layer" then
    fail_here(format("%s: its options come before its input; write %s { ... } (x)", kind, kind))
  end
  if count > 1 then
    fail_here(format("%s: options stand in braces; write %s { ... }", kind, kind))
  end
  if type(argument) == "table" and not private[argument] then return argument end
  if argument == nil then return {} end
  return { argument }
end

local function make_constructor(kind, type_of_object)
  local function construct(argument, ...)
    local options = options_of(kind, argument, 1 + select("#", ...))
    local file, line = where_am_i()
    local fields = { type = type_of_object, kind = kind, options = options, file = file, line = line }
    if type_of_object ~= "layer" then return object(Setting, fields) end
    local layer = object(Layer, fields)
    if kind == "input" then connect(layer, {}) end
    return layer
  end
  constructors[construct] = kind
  _G[kind] = construct
end

for kind, type_of_object in next, host.kinds do make_constructor(kind, type_of_object) end
make_constructor("constant", "initializer")

----------------------------------------------------------------------------------------------------
-- Models

local function check_item(header, value, position)
  if kind_of(value) == "layer" then return end
  local function wrong(message)
    fail(header.file, header.line, format("model %q: %s", header.name, message))
  end
  if constructors[value] then
    wrong(format("item %d is %s without its options; write %s { ... }", position, constructors[value],
      constructors[value]))
  end
  if value == nil then
    wrong(format("item %d is nil; does a function that makes it lack its return?", position))
  end
  wrong(format("item %d is %s; a model is a list of layers", position, described(value)))
end

-- The layers of a list, and of the lists in it.
local function collect(header, list, layers, depth)
  local function wrong(message) fail(header.file, header.line, format("model %q: %s", header.name, message)) end
  local last = last_place(list, function(key)
    if math_type(key) then
      wrong(format("a list of its layers has the key %s; write the layers one after the other", tostring(key)))
    end
    if depth > 0 then
      wrong(format("a list inside it has the option %s, but no layer's name in front; write for example "
        .. "dense { ... }", tostring(key)))
    end
  end)
  if depth > 50 then wrong("its lists of layers are nested too deeply") end
  for i = 1, last do
    local item = rawget(list, i)
    if type(item) == "table" and not private[item] then
      collect(header, item, layers, depth + 1)
    else
      check_item(header, item, i)
      layers[#layers + 1] = item
    end
  end
  return layers
end

local function chain(header, layers)
  for i, layer in ipairs(layers) do
    local fields = private[layer]
    local function wrong(message) fail(fields.file, fields.line, layer_title(fields) .. ": " .. message) end
    if i == 1 and fields.kind ~= "input" then
      wrong("the first layer of a model is its input; put input { height, width, channels } before it")
    end
    if i > 1 then
      if fields.kind == "input" then
        wrong("an input stands first; for a model of several branches use inputs = ... and outputs = ...")
      end
      if fields.inputs then
        wrong("it stands in the list twice, or was called with an input; in a list each layer takes the one before it")
      end
      connect(layer, { layers[i - 1] })
    end
  end
  return layers[1], layers[#layers]
end

-- A single layer, given as it is or as a list of one.
local function single(header, body, key)
  local value = rawget(body, key)
  local function wrong(message) fail(header.file, header.line, format("model %q: %s", header.name, message)) end
  if value == nil then wrong(format("%s is missing; a graph has inputs = x and outputs = y", key)) end
  if type(value) == "table" and not private[value] and #value == 1 then value = value[1] end
  if kind_of(value) == "layer" then return value end
  if constructors[value] then
    wrong(format("%s is %s without its options; write %s { ... }", key, constructors[value], constructors[value]))
  end
  wrong(format("%s is %s; give one layer", key,
    type(value) == "table" and not private[value] and "a list of " .. #value or described(value)))
end

-- All layers that the output needs, in the order of their calls.
local function reachable(header, input, output)
  local found, order, pending = {}, {}, { output }
  if not private[output].inputs then
    local fields = private[output]
    fail(fields.file, fields.line, layer_title(fields) .. ": it has no input; call it: " .. fields.kind .. " { ... } (x)")
  end
  while #pending > 0 do
    local layer = pending[#pending]
    pending[#pending] = nil
    if not found[layer] then
      found[layer] = true
      order[#order + 1] = layer
      for _, below in ipairs(private[layer].inputs) do pending[#pending + 1] = below end
    end
  end
  for layer in next, found do
    local fields = private[layer]
    if fields.kind == "input" and layer ~= input then
      fail(fields.file, fields.line, layer_title(fields) ..
        ": the outputs depend on it, but it is not the model's inputs; use one input")
    end
  end
  if not found[input] then
    fail(header.file, header.line, format("model %q: its outputs do not depend on its inputs", header.name))
  end
  sort(order, function(a, b) return private[a].serial < private[b].serial end)
  return order
end

-- The table behind model "name"; returns what model_read.c reads.
local function build(header, body)
  local function wrong(message) fail(header.file, header.line, format("model %q: %s", header.name, message)) end
  if type(body) ~= "table" or private[body] then
    wrong(format("it is given %s; write its layers in braces", described(body)))
  end
  for key in next, body do
    if not math_type(key) and key ~= "inputs" and key ~= "outputs" and key ~= "training" then
      wrong(host.unknown_option(key, { "inputs", "outputs", "training" }))
    end
  end
  local layers, input, output = collect(header, body, {}, 0), nil, nil
  if rawget(body, "inputs") ~= nil or rawget(body, "outputs") ~= nil then
    if #layers > 0 then wrong("it has both a list of layers and inputs or outputs; use one form") end
    input, output = single(header, body, "inputs"), single(header, body, "outputs")
    if private[input].kind ~= "input" then
      wrong(format("inputs is %s; make it with input { height, width, channels }", described(input)))
    end
    layers = reachable(header, input, output)
  else
    if #layers == 0 then wrong("it has no layers; begin with input { height, width, channels }") end
    input, output = chain(header, layers)
  end
  return layers, input, output
end

function Header.__call(self, body)
  local header = private[self]
  local layers, input, output = build(header, body)
  local number, described_layers = {}, {}
  for i, layer in ipairs(layers) do
    local fields, inputs = private[layer], {}
    for k, below in ipairs(fields.inputs) do inputs[k] = number[below] end
    number[layer] = i
    described_layers[i] = { kind = fields.kind, options = fields.options, file = fields.file,
      line = fields.line, inputs = inputs }
  end
  private.last = object(Model, { type = "model", name = header.name, file = header.file,
    line = header.line, layers = described_layers, input = number[input], output = number[output],
    training = rawget(body, "training") })
  return private.last
end

function model(name, ...)
  local file, line = where_am_i()
  if type(name) ~= "string" then
    fail(file, line, format('model: its name is %s; write model "name" { ... }', described(name)))
  end
  if select("#", ...) > 0 then
    fail(file, line, format('model %q: write its layers behind the name: model "name" { ... }', name))
  end
  return object(Header, { type = "model without layers", name = name, file = file, line = line })
end

-- What a model file returned, for model_read.c.
local function describe(value)
  local fields = type(value) == "table" and private[value]
  if fields and fields.type == "model" then return fields end
  if fields and fields.type == "model without layers" then
    fail(fields.file, fields.line, format("model %q: it has no layers; write model %q { ... }", fields.name, fields.name))
  end
  local last = rawget(private, "last")
  if value == nil and last then
    fail(private[last].file, private[last].line,
      format("model %q: the file does not return it; write return in front of it", private[last].name))
  end
  fail_here(format('the file returns %s; end it with return model "name" { ... }',
    value == nil and "nothing" or described(value)))
end

----------------------------------------------------------------------------------------------------
-- Traced functions: symbols that record what is computed with them

local Symbol = class "symbol"
Symbol.__tostring = function() return "symbol" end
local MOST_NODES = 2000

local function size_of(value)
  return type(value) == "number" and 1 or private[value].size
end

local tracing         -- while a function is traced: how a message about it begins
local trace_count = 0 -- the number of the function that is traced, or was last; its symbols have it

local function wrong_function(message)
  if not tracing then fail_here("its function " .. message) end -- a symbol that was kept
  error(tracing .. "its function " .. message, 0)
end

local function check_operand(value)
  if type(value) == "number" then
    if value - value ~= 0 then
      wrong_function("computes with " .. tostring(value) .. "; use finite numbers")
    end
  elseif kind_of(value) ~= "symbol" then
    wrong_function(format("computes with %s; use numbers and its arguments", described(value)))
  elseif private[value].trace ~= trace_count then
    wrong_function("uses the argument of another function, which was kept; use numbers and its own arguments")
  end
end

local function node(op, ...)
  local size, inputs = 1, { ... }
  for i = 1, select("#", ...) do -- some may be nil
    check_operand(inputs[i])
    size = size + size_of(inputs[i])
  end
  if size > MOST_NODES then
    wrong_function("is too large; it may have " .. MOST_NODES .. " operations")
  end
  return object(Symbol, { type = "symbol", op = op, inputs = inputs, size = size, trace = trace_count })
end

local function is_symbol(value) return kind_of(value) == "symbol" end

local function binary(op) return function(a, b) return node(op, a, b) end end
Symbol.__add, Symbol.__sub, Symbol.__mul, Symbol.__div = binary "+", binary "-", binary "*", binary "/"
function Symbol.__unm(a) return node("neg", a) end
function Symbol.__idiv(a, b) return node("floor", a / b) end
function Symbol.__mod(a, b) return a - b * node("floor", a / b) end
function Symbol.__pow(a, b) -- small powers as products: right and cheap for negative a, too
  if b == 1 then return a end
  if b == 2 then return a * a end
  if b == 3 then return a * a * a end
  if b == 0.5 then return node("sqrt", a) end
  return node("pow", a, b)
end

local function no_branch()
  wrong_function("cannot branch on its argument; use where(less(a, b), x, y)")
end
Symbol.__lt, Symbol.__le, Symbol.__eq = no_branch, no_branch, no_branch
Symbol.__concat, Symbol.__len, Symbol.__call = no_branch, no_branch, nil

-- A function of numbers and symbols, with at most `most` arguments.
local function define(name, most, of_numbers, of_symbols)
  local function apply(...)
    local count, symbolic = select("#", ...), false
    for i = 1, count do symbolic = symbolic or is_symbol((select(i, ...))) end
    if not symbolic then return of_numbers(...) end
    if count > most then
      wrong_function(format("gives %s %d arguments; it takes %d", name, count, most))
    end
    return of_symbols(...)
  end
  _G[name] = apply
  math[name] = apply
end

-- The same for a function that takes numbers only: messages of Lua's own functions would name what
-- calls them here.
local function define_numeric(name, most, of_numbers, of_symbols)
  define(name, most, function(...)
    for i = 1, smaller(most, larger(1, select("#", ...))) do
      local value = select(i, ...)
      if not tonumber(value) then
        fail_here(format("%s: its argument %d is %s; give it a number", name, i, described(value)))
      end
    end
    return of_numbers(...)
  end, of_symbols)
end

local function unary(op) return function(a) return node(op, a) end end
local function fold(op) -- max(a, b, c) is max(max(a, b), c)
  return function(first, ...)
    local result = first
    for i = 1, select("#", ...) do result = node(op, result, (select(i, ...))) end
    return result
  end
end
local log_of_number = math.log
local function log_of(a) return type(a) == "number" and log_of_number(a) or node("log", a) end
local function logarithm(a, ...) -- log(a), or log(a, base)
  if select("#", ...) == 0 then return log_of(a) end
  return node("/", log_of(a), log_of((...)))
end
for _, name in ipairs { "exp", "sqrt", "sin", "cos", "abs", "floor" } do
  define_numeric(name, 1, math[name], unary(name))
end
define_numeric("log", 2, log_of_number, logarithm)
define_numeric("tanh", 1, host.tanh, unary "tanh")
define_numeric("erf", 1, host.erf, unary "erf")
define_numeric("max", math.huge, larger, fold "max")
define_numeric("min", math.huge, smaller, fold "min")
define_numeric("sigmoid", 1, function(x) return 0.5 * host.tanh(0.5 * x) + 0.5 end,
  function(x) return node("tanh", x * 0.5) * 0.5 + 0.5 end)
define_numeric("relu", 1, function(x) return larger(x, 0) end, function(x) return node("max", x, 0) end)

local function bit(condition) return condition and 1 or 0 end
define("less", 2, function(a, b) return bit(a < b) end, binary "<")
define("less_equal", 2, function(a, b) return bit(a <= b) end, binary "<=")
define("greater", 2, function(a, b) return bit(a > b) end, function(a, b) return node("<", b, a) end)
define("greater_equal", 2, function(a, b) return bit(a >= b) end, function(a, b) return node("<=", b, a) end)
define("equal", 2, function(a, b) return bit(a == b) end, binary "==")
define("where", 3, function(condition, a, b)
  if condition and condition ~= 0 then return a end
  return b
end, function(condition, a, b)
  if type(condition) == "boolean" then return condition and a or b end
  return node("select", condition, a, b)
end)

-- Calls a function with `count` symbols (`title` begins messages about it); returns its expression
-- as a list of nodes in which inputs come first: { { op = "operand", value = 0 }, { op = "neg", 1 }, ... }.
local function trace(f, count, title)
  local arguments = {}
  trace_count = trace_count + 1
  for i = 1, count do
    arguments[i] = object(Symbol, { type = "symbol", op = "operand", inputs = {}, value = i - 1, size = 1,
      trace = trace_count })
  end
  tracing = title
  local result = f(unpack(arguments))
  if type(result) ~= "number" and not is_symbol(result) then
    wrong_function("returns " .. described(result) .. "; return an expression of its argument")
  end
  check_operand(result)
  tracing = nil
  local list, number = {}, {}
  local function add(entry)
    list[#list + 1] = entry
    return #list
  end
  local function visit(value)
    if type(value) == "number" then return add { op = "constant", value = value } end
    if not number[value] then
      local fields = private[value]
      local entry = { op = fields.op, value = fields.value }
      for i, input in ipairs(fields.inputs) do entry[i] = visit(input) end
      number[value] = add(entry)
    end
    return number[value]
  end
  visit(result)
  return list
end

return { private = private, describe = describe, trace = trace, object = object, class = class,
  kind_of = kind_of, described = described, fail = fail, fail_here = fail_here }
