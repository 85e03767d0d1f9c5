-- Writing what was decided.

local function put_tallies()
  for _ = 1, tonumber(arg()) do
    local id, state, busy_until_ms = arg(), arg(), arg()
    call('HSET', TALLIES, id, state)
    call('ZADD', BUSY, busy_until_ms, id)
  end
end

local function forget(ids)
  for _, id in ipairs(ids) do
    call('HDEL', TALLIES, id)
    call('ZREM', BUSY, id)
  end
end

local function forget_tallies()
  local idle_before = optional()
  if not idle_before then
    return
  end
  local crowded_before, most = tonumber(arg()), tonumber(arg())
  forget(call('ZRANGEBYSCORE', BUSY, 1, idle_before))
  local crowd = {}
  for _, id in ipairs(call('ZREVRANGE', BUSY, most, -1)) do
    local busy = tonumber(call('ZSCORE', BUSY, id))
    if busy >= 1 and busy <= crowded_before then
      crowd[#crowd + 1] = id
    end
  end
  forget(crowd)
end

-- The fields that an append leaves as they are.
local function put_channel(channel)
  call('HSET', HEAD, 'closed', channel.closed, 'revision', channel.revision)
  if channel.stream_seq then
    call('HSET', HEAD, 'stream_seq', channel.stream_seq)
  end
end

local function make_channel(channel)
  for _, field in ipairs({ 'id', 'epoch', 'content_type', 'ttl_s', 'expires_at_ms', 'touched_at_ms' }) do
    if channel[field] then
      call('HSET', HEAD, field, channel[field])
    end
  end
  call('HSET', HEAD, 'tail', '0', 'total', '0', 'first', '1', 'first_at_ms', '0', 'dropped', '0')
  call('ZADD', NAMES, 0, NAME)
  local ends = ends_at(channel.ttl_s, channel.expires_at_ms, channel.touched_at_ms)
  if ends then
    call('ZADD', ENDS, ends, NAME)
  else
    call('ZREM', ENDS, NAME)
  end
end

-- The server that writes here: another after each start and each promotion. A service that hides it has none, and no forks.
local function lineage()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
end

-- The epochs that ended on other servers, each with the last event that is here too.
local MOST_FORKS = 8

-- Another server wrote the channel last, and may have had events that were lost with it. So that no offset is given twice, the
-- channel continues in a new epoch.
local function fork(server)
  local epoch, tail, forks = unpack(call('HMGET', HEAD, 'epoch', 'tail', 'forks'))
  local kept = {}
  for old, at in string.gmatch(forks or '', '(%d+) (%d+);') do
    kept[#kept + 1] = string.format('%s %.0f;', old, math.min(tonumber(at), tonumber(tail)))
  end
  kept[#kept + 1] = epoch .. ' ' .. tail .. ';'
  while #kept > MOST_FORKS do
    table.remove(kept, 1)
  end
  epoch = string.format('%.0f', math.max(NOW, tonumber(epoch) + 1))
  call('HSET', HEAD, 'epoch', epoch, 'forks', table.concat(kept), 'lineage', server)
  beat()
end

-- Appends the events after the tail that there is, and returns that.
local function put_events()
  local count, at_ms, producer = tonumber(arg()), arg(), arg()
  local tail, total, first = unpack(call('HMGET', HEAD, 'tail', 'total', 'first'))
  local next, sum = tonumber(tail), tonumber(total)
  if count > 0 then
    if tonumber(first) > next then
      call('HSET', HEAD, 'first_at_ms', at_ms)
    end
    for _ = 1, count do
      local data = arg()
      next, sum = next + 1, sum + #data
      call('RPUSH', EVENTS, struct.pack(HEADER, tonumber(at_ms), sum, #producer) .. producer .. data)
    end
    call('HSET', HEAD, 'tail', string.format('%.0f', next), 'total', string.format('%.0f', sum))
  end
  return tail, total
end

local function erase(seq, data, drops_snapshots)
  local at = tonumber(seq) - tonumber(call('HGET', HEAD, 'first'))
  local event = call('LINDEX', EVENTS, at)
  local _, _, length = struct.unpack(HEADER, event)
  call('LSET', EVENTS, at, string.sub(event, 1, HEADER_BYTES + length) .. data)
  if drops_snapshots then
    call('UNLINK', SNAPSHOTS)
    call('HDEL', HEAD, 'snapshots')
  end
end

-- Whether the channel is as it was decided upon.
local function is_as_before(before)
  local id, tail, closed, stream_seq, revision = unpack(call('HMGET', HEAD, 'id', 'tail', 'closed', 'stream_seq', 'revision'))
  if before.id == '' then
    return not id or id == before.expired
  end
  return id == before.id
    and closed == before.closed
    and (stream_seq or '') == before.stream_seq
    and revision == before.revision
    and (before.is_placeable or tail == before.tail)
end

local function are_tallies_as_before(count)
  local are = true
  for _ = 1, count do
    local id, state = arg(), arg()
    are = are and (call('HGET', TALLIES, id) or '') == state
  end
  return are
end

-- The number of the newest snapshot.
local function newest_snapshot()
  return string.match(call('HGET', HEAD, 'snapshots') or '', '(%d+) %d+ %d+ %d+;$') or '0'
end

-- All of a decision, or nothing if the channel is not as it was decided upon. A caller that got no answer calls again with
-- the same `TOKEN`.
function operations.commit()
  local is_again = arg() == '1'
  local before = {
    id = arg(), tail = arg(), closed = arg(), stream_seq = arg(), revision = arg(), snapshot = arg(), expired = arg(),
  }
  before.is_placeable = arg() == '1' and not is_again
  if is_again then
    local token, tail, total = unpack(call('HMGET', HEAD, 'token', 'token_tail', 'token_total'))
    if token == TOKEN then
      return { WRITTEN, tail, total }
    end
    -- Another write may have followed the first try.
    if not is_as_before(before) then
      return { UNKNOWN }
    end
  end
  local server = lineage()
  local last_server = call('HGET', HEAD, 'lineage')
  if last_server and last_server ~= server then
    fork(server)
    return { REFUSED }
  end
  local are_same = are_tallies_as_before(tonumber(arg()))
  if not are_same or not is_as_before(before) then
    return { REFUSED }
  end
  local is_changed = arg() == '1'
  local channel = {
    id = arg(), epoch = arg(), content_type = arg(), closed = arg(), stream_seq = optional(), revision = arg(),
    ttl_s = optional(), expires_at_ms = optional(), touched_at_ms = optional(),
  }
  local erased, data, drops_snapshots = optional(), arg(), arg() == '1'
  local push_due = optional()
  if erased then
    local has_others = before.snapshot ~= '' and before.snapshot ~= newest_snapshot()
    if has_others or tonumber(erased) < tonumber(call('HGET', HEAD, 'first')) then
      return { REFUSED }
    end
  end
  if before.id == '' then
    local last = math.max(tonumber(call('GET', EPOCH) or 0), tonumber(call('HGET', HEAD, 'epoch') or 0))
    if tonumber(channel.epoch) <= last then
      return { REFUSED }
    end
    if call('EXISTS', HEAD) == 1 then
      remove()
    end
    make_channel(channel)
    call('HSET', HEAD, 'lineage', server)
  end
  if is_changed then
    put_channel(channel)
  end
  put_tallies()
  forget_tallies()
  local tail, total = put_events()
  if erased then
    erase(erased, data, drops_snapshots)
  end
  if push_due and call('EXISTS', SUBSCRIPTIONS) == 1 then
    owe(tonumber(push_due))
  end
  call('HSET', HEAD, 'token', TOKEN, 'token_tail', tail, 'token_total', total)
  beat()
  return { WRITTEN, tail, total }
end
