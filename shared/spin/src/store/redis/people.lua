-- Members and revocations, which belong to a name and not to a channel.

-- A state of awareness that a later one has overtaken: both may have read the members before either was written.
local function is_overtaken(before, state)
  local function clock(text)
    local is_json, value = pcall(cjson.decode, text or '')
    return is_json and type(value) == 'table' and tonumber(value.awarenessClock) or nil
  end
  local old, new = clock(before), clock(state)
  return old and new and new < old
end

-- The time until which a member is present, then its state; without a state it has left.
function operations.put_member()
  local id, until_ms, has_state, state, is_news = arg(), arg(), arg() == '1', arg(), arg() == '1'
  local before = call('HGET', MEMBERS, id)
  if has_state and before and is_overtaken(string.match(before, '^%d+ (.*)$'), state) then
    return REFUSED
  end
  call('HSET', MEMBERS, id, has_state and until_ms .. ' ' .. state or until_ms)
  if is_news then
    -- Never used before, also after all members were removed.
    local version = math.max(NOW, tonumber(call('HGET', MEMBERS, '') or 0) + 1)
    call('HSET', MEMBERS, '', string.format('%.0f', version))
    local known = call('HGETALL', MEMBERS)
    for at = 1, #known, 2 do
      if known[at] ~= '' and tonumber(string.match(known[at + 1], '^%d+')) <= NOW then
        call('HDEL', MEMBERS, known[at])
      end
    end
    beat()
  end
  outlives(MEMBERS, tonumber(until_ms))
  call('ZADD', NAMES, 0, NAME)
  if call('EXISTS', HEAD) == 0 then
    call('ZADD', ENDS, tonumber(until_ms) + DAY, NAME)
  end
  return WRITTEN
end

-- No two revocations of a channel have the same time, so that the newest time shows whether there is a new one.
function operations.put_revocation()
  local until_ms, of = tonumber(arg()), arg()
  call('ZREMRANGEBYSCORE', REVOCATIONS, '-inf', NOW)
  local newest = call('ZREVRANGE', REVOCATIONS, 0, 0, 'WITHSCORES')[2]
  until_ms = math.max(until_ms, newest and newest + 1 or 0)
  call('ZADD', REVOCATIONS, until_ms, of)
  beat()
  outlives(REVOCATIONS, until_ms)
  return WRITTEN
end
