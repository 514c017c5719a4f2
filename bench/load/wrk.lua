-- Fills the template of a call, see calls.ts, and prints what was seen as one line of JSON.
local path, scope, sequences, elements, fresh, last
local parts = {}
local turn = -1
local headers = { ['content-type'] = 'application/json' }

function init(args)
  path = args[1]
  scope, sequences = args[3], tonumber(args[4])
  fresh, elements = tonumber(args[5]), tonumber(args[6])
  last = elements
  for name, value in pairs(wrk.headers) do headers[name] = value end
  local rest = args[2]
  while true do
    local from, to = rest:find('{%a+}')
    if not from then break end
    parts[#parts + 1] = rest:sub(1, from - 1)
    parts[#parts + 1] = rest:sub(from, to)
    rest = rest:sub(to + 1)
  end
  parts[#parts + 1] = rest
  math.randomseed(fresh)
end

local function fill(part)
  if part == '{fresh}' then
    fresh = fresh + 1
    return string.format('%d', fresh - 1)
  elseif part == '{existing}' then
    return string.format('%d', math.random(elements))
  elseif part == '{last}' then
    last = last - 1
    return string.format('%d', last + 1)
  elseif sequences == 1 then
    return scope
  end
  return string.format('%s-%d', scope, turn % sequences)
end

function request()
  turn = turn + 1
  local filled = {}
  for i = 1, #parts do
    filled[i] = i % 2 == 0 and fill(parts[i]) or parts[i]
  end
  return wrk.format('POST', path, headers, table.concat(filled))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"calls":%d,"perSecond":%f,"p50":%f,"p99":%f,"failed":%d}\n',
    summary.requests,
    summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
