-- sweep.lua: the language of sweep files, on top of nn.lua.
--
--   return sweep "name" {
--     space = {
--       units = { 64, 128, "256-128", { 512, 256 } },         a list: numbers, texts, booleans, lists
--       rate = range { 0.2, 0.5 },                            any number between; whole numbers
--                                                             where both ends are written so
--       filters = range { 50, 100, step = 10 },               50, 60, ..., 100; or count = 6
--       learning_rate = log_range { 1e-4, 1e-1, count = 4 },  evenly spaced logarithms
--       momentum = { 0, 0.9, when = { optimizer = "sgd" } },  only where optimizer is "sgd"
--       optimizer = { "sgd", "adam" },
--     },
--     model = function(p) return model "name" { ..., dense { p.units }, ... } end,
--     strategy = grid {},                     every point; or
--       random { points = 30, seed = 1 },     so many points drawn from the space; or
--       halving { points = 27, factor = 3, epochs = 1 },   many points trained for a few epochs, the
--                                             best third of them three times as long, and so on
--     score = "validation_accuracy",          what points are ranked by, in the best epoch
--     repeats = 1,                            trainings of each point, with one seed after the other; or
--     folds = 5,                              cross-validation of each point
--     seed = 1, epochs = 10,                  of the trainings; epochs: else the model's own
--   }
--
-- Where a condition (`when`) does not hold, the point has no such parameter: p.momentum is nil.
--
-- Runs after nn.lua, with model_read.c's functions in `host` and what nn.lua returned in `nn`.
-- Returns describe and pick, for read_sweep.c.
local host, nn = ...

local type, next, rawget, tostring, select, setmetatable = type, next, rawget, tostring, select, setmetatable
local ipairs, math_type, floor, format, sort, concat = ipairs, math.type, math.floor, string.format, table.sort, table.concat
local find, gsub, tonumber = string.find, string.gsub, tonumber
local where_am_i, private, object, fail, described = host.where, nn.private, nn.object, nn.fail, nn.described
local class = nn.class

local MOST_VALUES = 1000 -- of one parameter
local Range, Sweep, Header, Strategy = class "range", class "sweep", class "sweep without space", class "strategy"

local function is_finite(value) return type(value) == "number" and value - value == 0 end
local function is_whole(value) return math_type(value) == "integer" or is_finite(value) and value == floor(value) end

-- The options of a table of the file; `wrong` reports.
local function check_keys(options, known, wrong)
  for key in next, options do
    local found = false
    for _, name in ipairs(known) do found = found or key == name end
    if not found then wrong(host.unknown_option(key, known)) end
  end
end

----------------------------------------------------------------------------------------------------
-- Values

-- The shortest text that reads back as the same number.
local function number_text(value)
  if math_type(value) == "integer" then return format("%d", value) end
  for digits = 1, 17 do
    local text = format("%." .. digits .. "g", value)
    if tonumber(text) == value then return text end
  end
end

local json, label

local function text_of(value, quote, separator, brackets)
  if type(value) == "number" then return number_text(value) end
  if type(value) == "boolean" then return tostring(value) end
  if type(value) == "string" then return quote and '"' .. gsub(value, '["\\]', "\\%0") .. '"' or value end
  local parts = {}
  for i = 1, #value do parts[i] = text_of(value[i], quote, separator, brackets) end
  return format(brackets, concat(parts, separator))
end

function json(value) return text_of(value, true, ",", "[%s]") end
function label(value) return text_of(value, false, "-", "%s") end

-- A value that a parameter may have; `nested`: inside a list.
local function check_value(value, wrong, nested)
  if type(value) == "string" then
    if #value > 60 or find(value, "%c") then
      wrong("its texts may have at most 60 characters, none of them a control character")
    end
  elseif type(value) == "table" and not private[value] and not nested and #value > 0 and #value <= 16 then
    for key in next, value do
      if math_type(key) ~= "integer" then wrong("a value that is a list has no names in it") end
    end
    for i = 1, #value do check_value(value[i], wrong, true) end
  elseif type(value) ~= "boolean" and not is_finite(value) then
    wrong(format("its value %s is not usable; use numbers, texts, booleans or short lists of them",
      described(value)))
  end
end

local function value_entry(value)
  return { json = json(value), label = label(value), number = type(value) == "number" and value + 0.0 or nil }
end

----------------------------------------------------------------------------------------------------
-- Ranges and strategies

local function table_argument(kind, example, argument, count)
  local file, line = where_am_i()
  local function wrong(message) fail(file, line, kind .. ": " .. message) end
  if count > 1 or type(argument) ~= "table" or private[argument] then
    wrong("write it with braces: " .. example)
  end
  return argument, wrong, file, line
end

local function make_range(kind, logarithmic)
  local example = kind .. (logarithmic and " { 1e-4, 1e-1 }" or " { 0.1, 0.5 }")
  _G[kind] = function(argument, ...)
    local options, wrong = table_argument(kind, example, argument, 1 + select("#", ...))
    check_keys(options, { 1, 2, "step", "count", "when" }, wrong)
    local from, to, step, count = options[1], options[2], rawget(options, "step"), rawget(options, "count")
    if not is_finite(from) or not is_finite(to) or not (from < to) then
      wrong("it needs two numbers, the smaller one first: " .. example)
    end
    if logarithmic and from <= 0 then wrong("its ends must be above 0") end
    if step ~= nil and (logarithmic or not is_finite(step) or step <= 0) then
      wrong(logarithmic and "it takes no step; use count" or "step must be a number above 0")
    end
    if count ~= nil and (not is_whole(count) or count < 2 or count > MOST_VALUES) then
      wrong("count must be a whole number from 2 to " .. MOST_VALUES)
    end
    if step and count then wrong("it takes step or count, not both") end
    if step and (to - from) / step > MOST_VALUES then
      wrong("its step gives more than " .. MOST_VALUES .. " values")
    end
    return object(Range, { type = "range", kind = kind, from = from, to = to, step = step, count = count,
      logarithmic = logarithmic, when = rawget(options, "when"),
      integer = math_type(from) == "integer" and math_type(to) == "integer"
        and (step == nil or math_type(step) == "integer") })
  end
end
make_range("range", false)
make_range("log_range", true)

-- The values of a range with a step or a count; nil without.
local function range_values(range)
  if not range.step and not range.count then return nil end
  local last = range.count and range.count - 1 or floor((range.to - range.from) / range.step + 1e-9)
  local values = {}
  for i = 0, last do
    local value
    if range.step then
      value = range.from + i * range.step
    elseif range.logarithmic then
      value = range.from * (range.to / range.from) ^ (i / last)
    else
      value = range.from + (range.to - range.from) * i / last
    end
    -- 0.1 + 2 * 0.1 is meant as 0.3
    value = range.integer and floor(value + 0.5) or tonumber(format("%.10g", value))
    if value ~= values[#values] then values[#values + 1] = value end
  end
  return values
end

local function make_strategy(kind, example, defaults)
  _G[kind] = function(argument, ...)
    local options, wrong, file, line = table_argument(kind, example, argument == nil and {} or argument,
      1 + select("#", ...))
    local known, fields = {}, { type = "strategy", kind = kind, file = file, line = line }
    for name in next, defaults do known[#known + 1] = name end
    sort(known)
    check_keys(options, known, wrong)
    for name, default in next, defaults do
      local value = rawget(options, name)
      if value == nil then value = default end
      local least = name == "factor" and 2 or name == "seed" and 0 or 1
      if value and (not is_whole(value) or value < least or value > 4294967295) then
        wrong(format("%s is %s; use a whole number of at least %d", name, described(value), least))
      end
      fields[name] = value and floor(value)
    end
    if kind == "random" and not fields.points then wrong("it needs the number of points: " .. example) end
    return object(Strategy, fields)
  end
end
make_strategy("grid", "grid {}", {})
local grid = _G.grid
make_strategy("random", "random { points = 30 }", { points = false, seed = 1 })
make_strategy("halving", "halving { points = 27 }", { points = false, factor = 3, epochs = 1, seed = 1 })

----------------------------------------------------------------------------------------------------
-- The space

-- Whether a condition's value can occur.
local function has_value(parameter, text)
  if not parameter.values then return true end
  for _, value in ipairs(parameter.values) do
    if value.json == text then return true end
  end
  return false
end

local function read_condition(when, parameter, by_name, wrong)
  if when == nil then return end
  if type(when) ~= "table" or private[when] or next(when) == nil then
    wrong("when is " .. described(when) .. '; write other parameters with their values: when = { optimizer = "sgd" }')
  end
  for name, wanted in next, when do
    local other = by_name[name]
    if not other or other == parameter then
      wrong(format("its condition asks for %s, which is no other parameter of the space", described(name)))
    end
    local values = type(wanted) == "table" and not private[wanted] and wanted or { wanted }
    local condition = { of = other }
    for i = 1, #values do
      check_value(values[i], wrong, true)
      condition[i] = json(values[i])
      if not has_value(other, condition[i]) then
        wrong(format("its condition asks for %s = %s, which %s never is", name, condition[i], name))
      end
    end
    if #condition == 0 then wrong("its condition on " .. name .. " has no value") end
    parameter.conditions[#parameter.conditions + 1] = condition
  end
  sort(parameter.conditions, function(a, b) return a.of.name < b.of.name end)
end

local function read_parameter(name, value, wrong)
  local range = type(value) == "table" and private[value]
  local parameter = { name = name, conditions = {}, logarithmic = false, integer = false }
  if range and range.type == "range" then
    parameter.from, parameter.to, parameter.integer = range.from + 0.0, range.to + 0.0, range.integer
    parameter.logarithmic = range.logarithmic
    parameter.values = range_values(range)
    parameter.when = range.when
  elseif type(value) == "table" and not range then
    if #value == 0 then wrong("it has no values; write them as a list: { 1, 2, 3 }") end
    if #value > MOST_VALUES then wrong("it has more than " .. MOST_VALUES .. " values") end
    parameter.values, parameter.when = {}, rawget(value, "when")
    for key in next, value do
      if key ~= "when" and math_type(key) ~= "integer" then wrong(host.unknown_option(key, { "when" })) end
    end
    for i = 1, #value do
      check_value(value[i], wrong)
      parameter.values[i] = value[i]
    end
  else
    wrong(format("it is %s; use a list { 1, 2, 3 }, range { 0.1, 0.5 } or log_range { 1e-4, 1e-1 }",
      described(value)))
  end
  if not parameter.values then return parameter end
  local seen = {}
  for i, item in ipairs(parameter.values) do
    local entry = value_entry(item)
    if seen[entry.json] then wrong("it has the value " .. entry.json .. " twice") end
    seen[entry.json] = true
    parameter.values[i] = entry
  end
  return parameter
end

-- By name, but what others depend on first.
local function ordered(parameters, wrong)
  local list, placed = {}, {}
  sort(parameters, function(a, b) return a.name < b.name end)
  while #list < #parameters do
    local before = #list
    for _, parameter in ipairs(parameters) do
      local ready = not placed[parameter]
      for _, condition in ipairs(parameter.conditions) do ready = ready and placed[condition.of] end
      if ready then
        list[#list + 1] = parameter
        placed[parameter] = #list
      end
    end
    if #list == before then wrong("the conditions of its parameters depend on each other in a circle") end
  end
  for _, parameter in ipairs(list) do
    for _, condition in ipairs(parameter.conditions) do condition.parameter = placed[condition.of] end
  end
  return list
end

local function read_space(header, space)
  local function wrong_sweep(message) fail(header.file, header.line, format("sweep %q: %s", header.name, message)) end
  if type(space) ~= "table" or private[space] or next(space) == nil then
    wrong_sweep("its space is " .. described(space) .. "; name the parameters with their values: space = { units = { 64, 128 } }")
  end
  local parameters, by_name, wrong_of = {}, {}, {}
  for name, value in next, space do
    if type(name) ~= "string" or #name > 40 or not find(name, "^[%a_][%w_]*$") then
      wrong_sweep(format("the name of a parameter is %s; use letters, digits and _", described(name)))
    end
    local function wrong(message)
      fail(header.file, host.find_key(header.file, header.line, name), format("parameter %q: %s", name, message))
    end
    local parameter = read_parameter(name, value, wrong)
    parameters[#parameters + 1], by_name[name], wrong_of[parameter] = parameter, parameter, wrong
  end
  if #parameters > 32 then wrong_sweep("its space has more than 32 parameters") end
  for _, parameter in ipairs(parameters) do
    read_condition(parameter.when, parameter, by_name, wrong_of[parameter])
  end
  return ordered(parameters, wrong_sweep), by_name
end

----------------------------------------------------------------------------------------------------
-- Sweeps

local scores = { "validation_accuracy", "validation_loss", "accuracy", "loss", "test_accuracy", "test_loss" }

local function check_score(score, wrong)
  for _, name in ipairs(scores) do
    if score == name then return end
  end
  wrong(format("score is %s; use one of %s", described(score), concat(scores, ", ")))
end

local function whole_option(body, name, default, least, wrong)
  local value = rawget(body, name)
  if value == nil then return default end
  if not is_whole(value) or value < least or value > 2147483647 then
    wrong(format("%s is %s; use a whole number of at least %d", name, described(value), least))
  end
  return floor(value)
end

-- Every parameter of a grid, and of halving without a number of points, needs single values.
local function check_strategy(strategy, parameters, wrong)
  if nn.kind_of(strategy) ~= "strategy" then
    wrong(format("its strategy is %s; use grid {}, random { points = 30 } or halving { points = 27 }",
      described(strategy)))
  end
  local fields = private[strategy]
  if fields.points then return end
  for _, parameter in ipairs(parameters) do
    if not parameter.values then
      wrong(format("%s {} needs single values: give the range of %q a step or a count", fields.kind, parameter.name))
    end
  end
end

function Header.__call(self, body)
  local header = private[self]
  local function wrong(message) fail(header.file, header.line, format("sweep %q: %s", header.name, message)) end
  if type(body) ~= "table" or private[body] then
    wrong(format("it is given %s; write its space and its model in braces", described(body)))
  end
  check_keys(body, { "space", "model", "strategy", "score", "repeats", "folds", "seed", "epochs" }, wrong)
  local parameters, by_name = read_space(header, rawget(body, "space"))
  local make, strategy = rawget(body, "model"), rawget(body, "strategy")
  if type(make) ~= "function" then
    wrong(format("its model is %s; use a function of a point: model = function(p) return model ... end", described(make)))
  end
  if strategy == nil then strategy = grid {} end
  check_strategy(strategy, parameters, wrong)
  local score = rawget(body, "score")
  if score == nil then score = scores[1] end
  check_score(score, wrong)
  local repeats, folds = whole_option(body, "repeats", 1, 1, wrong), whole_option(body, "folds", 0, 2, wrong)
  if folds > 0 and repeats > 1 then wrong("it has folds and repeats; use one of them") end
  if folds > 0 and not find(score, "^validation_") then
    wrong(format("its score is %s, but cross-validation gives validation_accuracy and validation_loss", score))
  end
  private.last_sweep = object(Sweep, { type = "sweep", name = header.name, file = header.file, line = header.line,
    parameters = parameters, by_name = by_name, make = make, strategy = private[strategy], score = score,
    repeats = repeats, folds = folds, seed = whole_option(body, "seed", 1, 0, wrong),
    epochs = whole_option(body, "epochs", 0, 1, wrong) })
  return private.last_sweep
end

function sweep(name, ...)
  local file, line = where_am_i()
  if type(name) ~= "string" or #name > 60 or not find(name, "^[%a_][%w_]*$") then
    fail(file, line, format('sweep: its name is %s; write sweep "name" { ... } with letters, digits and _', described(name)))
  end
  if select("#", ...) > 0 then
    fail(file, line, format('sweep %q: write its space behind the name: sweep "name" { ... }', name))
  end
  return object(Header, { type = "sweep without space", name = name, file = file, line = line })
end

-- What a sweep file returned.
local function describe(value)
  local kind = nn.kind_of(value)
  if kind == "sweep" then return private[value] end
  local last = rawget(private, "last_sweep")
  if value == nil and last then
    fail(private[last].file, private[last].line,
      format("sweep %q: the file does not return it; write return in front of it", private[last].name))
  end
  nn.fail_here(kind == "model" and "the file returns a model, not a sweep; `lathe train` trains it"
    or format('the file returns %s; end it with return sweep "name" { space = ..., model = ... }',
      value == nil and "nothing" or described(value)))
end

local function holds(parameter, point)
  for _, condition in ipairs(parameter.conditions) do
    local value, found = rawget(point, condition.of.name), false
    for i = 1, #condition do found = found or value ~= nil and json(value) == condition[i] end
    if not found then return false end
  end
  return true
end

-- The model at a point, a table of values by name; without a point, the value itself, which must be
-- no sweep then.
local function pick(value, point)
  local fields = nn.kind_of(value) == "sweep" and private[value]
  if not point then
    if fields then
      fail(fields.file, fields.line, format("sweep %q: it is a sweep, not a model; `lathe sweep` runs it, and "
        .. "--point '{...}' takes the model at one point", fields.name))
    end
    return value
  end
  fields = describe(value)
  local function wrong(message) fail(fields.file, fields.line, format("sweep %q: %s", fields.name, message)) end
  local names = {}
  for i, parameter in ipairs(fields.parameters) do names[i] = parameter.name end
  for name, item in next, point do
    if not fields.by_name[name] then wrong("the point: " .. host.unknown_option(name, names, "parameter")) end
    check_value(item, function(message) wrong(format("the point: %s: %s", name, message)) end)
  end
  for _, parameter in ipairs(fields.parameters) do
    local given = rawget(point, parameter.name) ~= nil
    if holds(parameter, point) ~= given then
      wrong(format(given and "the point: it has %s, whose condition does not hold"
        or "the point: it lacks %s", parameter.name))
    end
  end
  setmetatable(point, { __index = function(_, name)
    if not fields.by_name[name] then
      nn.fail_here(format("the point of the sweep: %s", host.unknown_option(name, names, "parameter")))
    end
  end })
  local made = fields.make(point)
  if nn.kind_of(made) ~= "model" then
    wrong(format("its model function returns %s; end it with return model \"name\" { ... }",
      made == nil and "nothing" or described(made)))
  end
  return made
end

return { describe = describe, pick = pick }
