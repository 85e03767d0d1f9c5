-- What changes a channel beside a decision.

function operations.delete()
  if not is(arg()) then
    return REFUSED
  end
  remove()
  return WRITTEN
end

-- A channel that has ended in the meantime does not begin again.
function operations.touch()
  local id, touched_at_ms = arg(), arg()
  local ttl_s, before = unpack(call('HMGET', HEAD, 'ttl_s', 'touched_at_ms'))
  if is(id) and ttl_s and ends_at(ttl_s, nil, before) > tonumber(touched_at_ms) then
    call('HSET', HEAD, 'touched_at_ms', touched_at_ms)
    call('ZADD', ENDS, ends_at(ttl_s, nil, touched_at_ms), NAME)
  end
  return WRITTEN
end

-- A cut is right whatever others append.
function operations.cut()
  local id, first, dropped = arg(), tonumber(arg()), arg()
  local before = tonumber(call('HGET', HEAD, 'first') or 0)
  if not is(id) or first <= before then
    return REFUSED
  end
  call('LTRIM', EVENTS, first - before, -1)
  local oldest = call('LINDEX', EVENTS, 0)
  local at_ms = oldest and struct.unpack('>I8', oldest) or 0
  call('HSET', HEAD, 'first', string.format('%.0f', first), 'dropped', dropped, 'first_at_ms', string.format('%.0f', at_ms))
  beat()
  return WRITTEN
end

-- The list of the snapshots has a number, a time and two sizes of each.
function operations.put_snapshot()
  local id, revision, last = arg(), arg(), arg()
  local seq, of, data, most = arg(), arg(), arg(), tonumber(arg())
  if not is(id) or call('HGET', HEAD, 'revision') ~= revision or newest_snapshot() ~= last then
    return REFUSED
  end
  local kept = {}
  for known in string.gmatch(call('HGET', HEAD, 'snapshots') or '', '[^;]+;') do
    kept[#kept + 1] = known
  end
  kept[#kept + 1] = seq .. ' ' .. of .. ';'
  while #kept > most do
    call('HDEL', SNAPSHOTS, string.match(table.remove(kept, 1), '%d+'))
  end
  call('HSET', SNAPSHOTS, seq, data)
  call('HSET', HEAD, 'snapshots', table.concat(kept))
  beat()
  return WRITTEN
end
