-- === getting in line ===

local seq = tonumber(s[11] or 0)

local function enqueue()
  if waiting_n >= line_max and not remembered then return FULL end
  local place
  if require_place or remembered then
    if position == '' or require_place and tonumber(epoch) < tonumber(l[12]) then return NO_PLACE end
    if require_place then
      local claim = epoch .. ':' .. position
      local holder = redis.call('HGET', claims, claim)
      if holder and holder ~= user then return TAKEN end
      redis.call('HSET', claims, claim, user)
    end
    place = position
  else
    seq = redis.call('HINCRBY', state, 'seq', 1)
    place = seq
  end
  if waiting_n == 0 and active_n == 0 then
    -- The line may have been retired.
    for i = 1, #KEYS do redis.call('PERSIST', KEYS[i]) end
  end
  redis.call('ZADD', queue, place, user)
  redis.call('ZADD', seen, now, user)
  waiting_n = waiting_n + 1
  write('enqueue', now, user, place)
  return QUEUED
end
