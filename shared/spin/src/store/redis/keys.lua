-- The script of the store: this file, then one for each kind of operation, then the call. KEYS are those of one channel, the
-- three that all channels share, and one of its function; `mod.rs` names them in this order. ARGV has the operation, the channel's name, the time
-- in milliseconds, a text that no other call has, and what the operation reads with `arg`.

local HEAD, EVENTS, TALLIES, BUSY, MEMBERS, REVOCATIONS, PULSE, SNAPSHOTS, SUBSCRIPTIONS, NAMES, ENDS, EPOCH, OWED = unpack(KEYS)
local OPERATION, NAME, NOW, TOKEN = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local WRITTEN, REFUSED, UNKNOWN = 1, 0, 2
local DAY = 86400000
-- An event in the list: when it was appended, the bytes of the channel up to it, the length of the producer's id; then the id
-- and the data.
local HEADER = '>I8I8I2'
local HEADER_BYTES = 18

local operations = {}
local call = redis.call

local read = 4
local function arg()
  read = read + 1
  return ARGV[read]
end

-- Without a value: the empty text.
local function optional()
  local value = arg()
  return value ~= '' and value or nil
end

-- Another text for each change that a reader could see.
local function beat()
  call('SET', PULSE, TOKEN)
end

-- Of a name without a channel, the members and revocations end by themselves.
local function outlives(key, until_ms)
  if call('EXISTS', HEAD) == 0 then
    call('PEXPIREAT', PULSE, until_ms + DAY)
  end
  call('PEXPIREAT', key, until_ms + DAY)
end

local function keep_epoch(epoch)
  if tonumber(epoch) > tonumber(call('GET', EPOCH) or 0) then
    call('SET', EPOCH, epoch)
  end
end

-- The whole channel, its members and its subscriptions, but neither its revocations nor its epoch.
local function remove()
  local epoch = call('HGET', HEAD, 'epoch')
  if epoch then
    keep_epoch(epoch)
  end
  call('UNLINK', HEAD, EVENTS, TALLIES, BUSY, MEMBERS, PULSE, SNAPSHOTS, SUBSCRIPTIONS)
  for _, of_all in ipairs({ NAMES, ENDS, OWED }) do
    call('ZREM', of_all, NAME)
  end
end

local function is(id)
  return call('HGET', HEAD, 'id') == id
end

-- When the channel with these three fields ends, if ever.
local function ends_at(ttl_s, expires_at_ms, touched_at_ms)
  if ttl_s then
    return (tonumber(touched_at_ms) or 0) + tonumber(ttl_s) * 1000
  end
  return tonumber(expires_at_ms)
end
