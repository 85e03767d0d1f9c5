-- Whole channels, the keys of providers, and the call.

-- Of a tenant that is erased.
function operations.erase()
  remove()
  return WRITTEN
end

-- An end that has come: of a channel, or of a name that had only members.
function operations.sweep()
  local exists, ttl_s, expires_at_ms, touched_at_ms = unpack(call('HMGET', HEAD, 'id', 'ttl_s', 'expires_at_ms', 'touched_at_ms'))
  local ends = exists and ends_at(ttl_s, expires_at_ms, touched_at_ms)
  if ends and ends > NOW then
    call('ZADD', ENDS, ends, NAME)
  elseif ends or not exists and call('EXISTS', MEMBERS, SUBSCRIPTIONS) == 0 then
    remove()
  elseif exists or call('EXISTS', MEMBERS) == 0 then
    call('ZREM', ENDS, NAME)
  else
    call('ZADD', ENDS, NOW + DAY, NAME)
  end
  return WRITTEN
end

-- Whether the caller must fetch the keys of a provider. `HEAD` is their key.
function operations.claim_keys()
  local asked_ms = call('HGET', HEAD, 'asked_ms')
  if asked_ms and asked_ms ~= arg() then
    return REFUSED
  end
  call('HSET', HEAD, 'asked_ms', ARGV[3], 'is_asking', '1')
  return WRITTEN
end

return operations[OPERATION]()
