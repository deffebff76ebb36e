-- === getting in line ===

local seq = tonumber(s[11] or 0)

local function next_number()
  seq = redis.call('HINCRBY', state, 'seq', 1)
  return seq
end

local function enqueue()
  if ending then return FULL end
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
    -- Behind all who have not (quirk 20: else the first would have their slots for ever).
    if not remembered and has_had_turn(user) then place = AGAIN + next_number() end
  else
    place = next_number()
  end
  if waiting_n == 0 and active_n == 0 then
    keep()
  end
  redis.call('ZADD', queue, place, user)
  redis.call('ZADD', seen, now, user)
  waiting_n = waiting_n + 1
  write('enqueue', now, user, place)
  return QUEUED
end
