-- === taking people out ===

local budget = moves_max

local function drop_active(who, reason)
  if redis.call('ZREM', active, who) == 1 then
    redis.call('ZREM', active_seen, who)
    active_n = active_n - 1
    write('leave', now, who, nil, reason)
    return true
  end
  redis.call('ZREM', active_seen, who)
  return false
end

local function drop_waiting(who, reason)
  local place = redis.call('ZSCORE', queue, who)
  redis.call('ZREM', seen, who)
  if not place then return false end
  redis.call('ZREM', queue, who)
  waiting_n = waiting_n - 1
  write('leave', now, who, place, reason)
  return true
end

local function drop_all(set, up_to, most, drop, reason)
  local who = redis.call('ZRANGEBYSCORE', set, '-inf', up_to, 'LIMIT', 0, most)
  for i = 1, #who do drop(who[i], reason) end
  budget = budget - #who
  if #who == most then more = 1 end
end

-- Those who wait with places of a line that is no more. All else of a tick is another run's.
local function drop_ended()
  if not ending then return end
  local who = redis.call('ZRANGE', queue, 0, budget - 1)
  for i = 1, #who do drop_waiting(who[i], 'ended') end
  budget = budget - #who
  more = 1
  ending = waiting_n > 0
  if not ending then redis.call('HDEL', state, 'ending') end
end

-- Three quarters of the budget at most: a mass expiry must not stop the line.
local function prune()
  if budget < moves_max then return end
  local most = math.max(math.floor(moves_max / 4), 1)
  drop_all(active, now, most, drop_active, 'expired')
  drop_all(active_seen, now - silence_ms, most, drop_active, 'silent')
  drop_all(seen, now - seen_ttl_s * 1000, most, drop_waiting, 'silent')
end
