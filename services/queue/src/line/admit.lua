-- === letting people in: urr_core::admission::admit ===

-- What the bucket holds, having earned `by` a second since it was last looked at.
local function bucket(by)
  local b = redis.call('HMGET', state, 'tokens_milli', 'at')
  local depth = burst * 1000
  local tokens, at = tonumber(b[1] or nil), tonumber(b[2] or nil)
  if not tokens then
    tokens, at = depth, configured and opens_at or now
  end
  tokens = math.min(math.max(tokens, 0), depth)
  if lost_at and now < lost_at + HOLD_MS then
    tokens = 0
  elseif gate == OPEN then
    -- Held, the line earns nothing.
    tokens = math.min(tokens + math.max(now - at, 0) * by, depth)
  end
  return tokens, math.max(at, now)
end

-- The replay of the log must know at which rate the time between two entries was credited. So no time
-- is credited at a rate that did not hold yet: up to the change it is the lower of the two.
local signature = rate .. ':' .. cap
if exists and s[4] ~= signature then
  redis.call('HSET', state, 'signature', signature)
  if s[4] then
    write('limits', now)
    if gate ~= EARLY and gate ~= CLOSED then
      local tokens, at = bucket(math.min(rate, tonumber(string.match(s[4], '^%d+'))))
      redis.call('HSET', state, 'tokens_milli', tokens, 'at', at)
    end
  end
end

-- A place of tier 1 is good for one turn. It ends with the first slot's time, however often its holder goes
-- out and comes in meanwhile.
local function note_turn(who, ends_at)
  if require_place then redis.call('HSETNX', claims, 'turn:' .. line_epoch .. ':' .. who, ends_at) end
end

local function has_had_turn(who)
  local ends_at = tonumber(redis.call('HGET', claims, 'turn:' .. line_epoch .. ':' .. who) or nil)
  return ends_at and ends_at <= now
end

local function admit()
  if gate == EARLY or gate == CLOSED or ending or not exists then return end
  local tokens, at = bucket(rate)
  if gate ~= OPEN or lost_at and now < lost_at + HOLD_MS then
    redis.call('HSET', state, 'tokens_milli', tokens, 'at', at)
    return
  end
  local kept = lost_at and now < lost_at + silence_ms and reserved or 0
  local free = cap_guard and math.max(cap - active_n - kept, 0) or waiting_n
  local wanted = math.min(math.floor(tokens / 1000), free, waiting_n)
  local n = math.min(wanted, math.max(budget, 1))
  if n < wanted then more = 1 end
  redis.call('HSET', state, 'tokens_milli', tokens - n * 1000, 'at', at)
  if n <= 0 then return end
  budget = budget - n
  local first = redis.call('ZPOPMIN', queue, n)
  for i = 1, #first, 2 do
    local who, place = first[i], first[i + 1]
    redis.call('ZREM', seen, who)
    redis.call('ZADD', active, now + active_ttl_ms, who)
    redis.call('ZADD', active_seen, now, who)
    active_n = active_n + 1
    waiting_n = waiting_n - 1
    moved = moved + 1
    write('admit', now, who, place)
    if tonumber(place) < AGAIN then watermark = math.max(watermark, tonumber(place)) end
    note_turn(who, now + active_ttl_ms)
  end
  redis.call('HSET', state, 'watermark', watermark)
  redis.call('HINCRBY', state, 'admitted', moved)
  local window_at = tonumber(redis.call('HGET', state, 'window_at') or nil)
  if not window_at or now - window_at > WINDOW_MS then
    redis.call('HSET', state, 'window_at', now, 'window_n', moved)
  else
    redis.call('HINCRBY', state, 'window_n', moved)
  end
end
