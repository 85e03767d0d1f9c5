-- Subscriptions of Web Push, which belong to a name and not to a channel. Each is a text: when something is owed to it, until
-- when a caller has claimed it, when it ends, and what only the core reads.

local function digits(number)
  return number and string.format('%.0f', number) or ''
end

local function subscription(id)
  local due, claimed, ends, data = string.match(call('HGET', SUBSCRIPTIONS, id) or '', '^(%d*) (%d*) (%d*) (.*)$')
  return data and { due = tonumber(due), claimed = tonumber(claimed), ends = tonumber(ends), data = data }
end

local function put(id, one)
  call('HSET', SUBSCRIPTIONS, id, string.format('%s %s %s ', digits(one.due), digits(one.claimed), digits(one.ends)) .. one.data)
end

local function ids()
  local known = call('HKEYS', SUBSCRIPTIONS)
  table.sort(known)
  return known
end

-- When a caller may take it.
local function at(one)
  return one.due and math.max(one.due, one.claimed or 0)
end

local function least(one, other)
  return one and other and math.min(one, other) or one or other
end

-- The function's channels by the time at which one of their subscriptions is due or ends.
local function plan()
  local next
  for _, id in ipairs(ids()) do
    local one = subscription(id)
    next = least(next, least(at(one), one.ends))
  end
  if next then
    call('ZADD', OWED, next, NAME)
  else
    call('ZREM', OWED, NAME)
  end
  -- Of a name without anything, nothing is left.
  if call('EXISTS', SUBSCRIPTIONS, HEAD, MEMBERS) == 0 then
    call('ZREM', NAMES, NAME)
  end
end

-- An append: those to which nothing is owed yet are due then.
local function owe(due)
  for _, id in ipairs(ids()) do
    local one = subscription(id)
    if not one.due then
      one.due = due
      put(id, one)
    end
  end
  plan()
end

-- Four texts of each.
local function put_into(reply, id, one)
  for _, value in ipairs({ id, digits(one.due), digits(one.ends), one.data }) do
    reply[#reply + 1] = value
  end
end

function operations.push_rows()
  local reply = {}
  for _, id in ipairs(ids()) do
    put_into(reply, id, subscription(id))
  end
  return reply
end

function operations.claim_push()
  local until_ms, reply = tonumber(arg()), {}
  for _, id in ipairs(ids()) do
    local one = subscription(id)
    if one.ends and one.ends <= NOW then
      call('HDEL', SUBSCRIPTIONS, id)
    elseif one.due and at(one) <= NOW then
      one.claimed = until_ms
      put(id, one)
      put_into(reply, id, one)
    end
  end
  plan()
  return reply
end

function operations.put_push()
  local id, due, ends, data = arg(), optional(), optional(), arg()
  local before = subscription(id) or { due = tonumber(due) }
  put(id, { due = before.due, claimed = before.claimed, ends = tonumber(ends), data = data })
  call('ZADD', NAMES, 0, NAME)
  plan()
  return WRITTEN
end

function operations.save_push()
  local id, data = arg(), arg()
  local one = subscription(id)
  if one then
    one.data = data
    put(id, one)
  end
  return WRITTEN
end

function operations.settle_push()
  local id, due, data, pushed = arg(), optional(), arg(), tonumber(arg())
  local one = subscription(id)
  if one then
    local is_behind = pushed < tonumber(call('HGET', HEAD, 'tail') or 0)
    put(id, { due = tonumber(due) or is_behind and NOW or nil, ends = one.ends, data = data })
    plan()
  end
  return WRITTEN
end

function operations.remove_push()
  call('HDEL', SUBSCRIPTIONS, arg())
  plan()
  return WRITTEN
end

-- Epoch and tail, the number of the first event, and the events.
function operations.push_page()
  local after, most = tonumber(arg()), tonumber(arg())
  local epoch, tail, first = unpack(call('HMGET', HEAD, 'epoch', 'tail', 'first'))
  if not epoch then
    return { '0', '0', '1' }
  end
  local next = math.max(after + 1, tonumber(first))
  local reply = { epoch, tail, digits(next) }
  local last = math.min(tonumber(tail), next + most - 1)
  while next <= last do
    for _, event in ipairs(call('LRANGE', EVENTS, next - first, math.min(last, next + RUN - 1) - first)) do
      reply[#reply + 1] = event
    end
    next = next + RUN
  end
  return reply
end

function operations.next_push()
  local next
  for _, id in ipairs(ids()) do
    next = least(next, at(subscription(id)))
  end
  return { digits(next) }
end
