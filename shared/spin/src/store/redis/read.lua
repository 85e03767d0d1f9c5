-- Reading a channel.

local FIELDS = {
  'id', 'epoch', 'content_type', 'closed', 'stream_seq', 'revision', 'tail', 'total', 'first', 'first_at_ms', 'dropped',
  'ttl_s', 'expires_at_ms', 'touched_at_ms', 'snapshots', 'forks',
}
-- Most events taken from the list at once.
local RUN = 64

-- The channel, and the events after a position up to a number and a size: one more than fits, as the core expects it.
function operations.look()
  local after, most, bytes = tonumber(arg()), tonumber(arg()), tonumber(arg())
  local fields = call('HMGET', HEAD, unpack(FIELDS))
  local revoked = call('ZREVRANGE', REVOCATIONS, 0, 0, 'WITHSCORES')
  local reply = { call('GET', EPOCH), call('HGET', MEMBERS, ''), revoked[2] or false, call('GET', PULSE) }
  for at = 1, #FIELDS do
    reply[#reply + 1] = fields[at]
  end
  if not fields[1] then
    return reply
  end
  local tail, first = tonumber(fields[7]), tonumber(fields[9])
  local next = math.max(after + 1, first)
  reply[#reply + 1] = string.format('%.0f', next)
  local last = math.min(tail, next + most - 1)
  while next <= last and bytes >= 0 do
    for _, event in ipairs(call('LRANGE', EVENTS, next - first, math.min(last, next + RUN - 1) - first)) do
      bytes = bytes - (#event - HEADER_BYTES)
      reply[#reply + 1] = event
      next = next + 1
      if bytes < 0 then
        break
      end
    end
  end
  return reply
end

function operations.event()
  local id, seq = arg(), tonumber(arg())
  local first = call('HGET', HEAD, 'first')
  if not is(id) or seq < tonumber(first) then
    return false
  end
  return call('LINDEX', EVENTS, seq - tonumber(first))
end

-- The number of the oldest event, and the two times and sizes of each.
function operations.sizes()
  local id, most = arg(), tonumber(arg())
  if not is(id) then
    return { '1', '' }
  end
  local headers, from = {}, 0
  local last = math.min(call('LLEN', EVENTS), most) - 1
  while from <= last do
    for _, event in ipairs(call('LRANGE', EVENTS, from, math.min(last, from + RUN - 1))) do
      headers[#headers + 1] = string.sub(event, 1, 16)
    end
    from = from + RUN
  end
  return { call('HGET', HEAD, 'first'), table.concat(headers) }
end

function operations.snapshot()
  local id, seq = arg(), arg()
  return is(id) and call('HGET', SNAPSHOTS, seq)
end
