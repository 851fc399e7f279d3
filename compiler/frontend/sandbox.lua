-- sandbox.lua: makes Lua's standard library safe for model files, which are untrusted input.
--
-- Runs once in a fresh state, with the functions of sandbox.c in `host`:
--   host.charge(n)   takes n from the instruction budget; an error when it is used up
--   host.check()     raises that error again, so that a model cannot catch it
--   host.load(name)  reads NAME.lua beside the model file or above it: a function, or an error
--   host.print(...)  prints as Lua does, but to standard error
-- What runs long inside one library call is charged here, because the budget counts instructions
-- of Lua only. Absent from the start are io, os, debug and package.
local host = ...

local type, rawget, getmetatable, setmetatable = type, rawget, getmetatable, setmetatable
local pcall, xpcall, error, select, next = pcall, xpcall, error, select, next
local charge, check = host.charge, host.check

for _, name in ipairs { "load", "loadfile", "dofile", "collectgarbage" } do _G[name] = nil end
string.dump = nil
print = host.print

-- A budget error passes through every handler.
local function checked(...)
  check()
  return ...
end
_G.pcall = function(...) return checked(pcall(...)) end
_G.xpcall = function(...) return checked(xpcall(...)) end

local create, resume, wrap, close = coroutine.create, coroutine.resume, coroutine.wrap, coroutine.close
local THREAD_COST = 1000 -- what a coroutine may run before it is counted
coroutine.create = function(f) charge(THREAD_COST) return (create(f)) end
coroutine.wrap = function(f) charge(THREAD_COST) return (wrap(f)) end
coroutine.resume = function(...) return checked(resume(...)) end
coroutine.close = function(...) return checked(close(...)) end

-- Finalizers run where no budget is counted.
_G.setmetatable = function(object, metatable)
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("__gc is not available in a model file", 2)
  end
  return (setmetatable(object, metatable))
end
getmetatable("").__metatable = false

-- Charges what a call will do at most; arguments of a wrong type are left to the function's own
-- message.
local function integer(value, default)
  if value == nil then return default end
  return math.type(value) and value or 0
end

local function length(value)
  local kind = type(value)
  if kind == "table" or kind == "string" then
    local n = #value
    return math.type(n) and n or 0
  end
  return 0
end

local rep = string.rep
string.rep = function(s, n, separator)
  charge(integer(n, 0) * (length(s) + length(separator) + 1.0) / 16)
  local result = rep(s, n, separator)
  return result
end

-- A pattern with k repetitions may try length^k ways.
local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
local function charge_pattern(s, pattern)
  if type(pattern) ~= "string" then return end
  local cost = length(s) + 1
  local _, repetitions = gsub(pattern, "[*+?-]", "")
  for _ = 1, repetitions do
    cost = cost * (length(s) + 1.0)
    if cost > 1e15 then break end
  end
  charge(cost)
end
string.find = function(s, pattern, ...)
  local first, plain = ...
  if plain then charge(length(s) * (length(pattern) + 1.0)) else charge_pattern(s, pattern) end
  return find(s, pattern, first, plain)
end
string.match = function(s, pattern, first)
  charge_pattern(s, pattern)
  return match(s, pattern, first)
end
string.gmatch = function(s, pattern, ...)
  charge_pattern(s, pattern)
  local iterate = gmatch(s, pattern, ...)
  return iterate
end
string.gsub = function(s, pattern, ...)
  charge_pattern(s, pattern)
  return gsub(s, pattern, ...)
end

local insert, remove, sort, concat, move =
  table.insert, table.remove, table.sort, table.concat, table.move
table.insert = function(list, ...)
  charge(length(list))
  return insert(list, ...)
end
table.remove = function(list, ...)
  charge(length(list))
  return remove(list, ...)
end
table.sort = function(list, ...)
  charge(20.0 * length(list))
  return sort(list, ...)
end
table.concat = function(list, separator, first, last)
  charge(integer(last, length(list)) + 0.0 - integer(first, 1))
  local result = concat(list, separator, first, last)
  return result
end
table.move = function(from, first, last, ...)
  charge(integer(last, 0) + 0.0 - integer(first, 0))
  return move(from, first, last, ...)
end

-- One model file gives the same model each time.
local randomseed = math.randomseed
math.randomseed = function(seed) randomseed(math.type(seed) and seed or 0) end
randomseed(0)

-- Modules: Lua files beside the model file or in the folder above, run once.
local LOADING = {}
local loaded = {}
function require(name)
  if loaded[name] == LOADING then
    error(("module %q requires itself"):format(name), 2)
  end
  if loaded[name] == nil then
    local run = host.load(name)
    loaded[name] = LOADING
    local result = run(name)
    loaded[name] = result == nil and true or result
  end
  return loaded[name]
end

-- A name that nobody defined is a mistake (real Lua would give nil: `activation = softmax` would
-- silently mean no activation).
setmetatable(_G, {
  __metatable = false,
  __index = function(_, name) error(host.unknown_name(name, _G), 2) end,
})
