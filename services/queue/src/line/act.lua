-- === the acts ===

local outcome = NONE

if op == 'join' or op == 'tick' then drop_ended() end

if op == 'join' or op == 'touch' then
  local ends_at = tonumber(redis.call('ZSCORE', active, user) or nil)
  if ends_at and ends_at <= now then
    drop_active(user, 'expired')
    ends_at = nil
  end
  if ends_at then
    -- Being there keeps the slot from silence; nothing moves its end (quirk 20).
    redis.call('ZADD', active_seen, now + patience_ms, user)
  elseif redis.call('ZSCORE', queue, user) then
    redis.call('ZADD', seen, now, user)
    outcome = QUEUED
  elseif resume() then
    outcome = ACTIVE
  elseif op == 'join' then
    outcome = enqueue()
  end
  if op == 'join' then
    if active_n >= cap then prune() end
    admit()
  end
elseif op == 'leave' then
  -- Who leaves without having come back after a loss leaves the slot that is kept for him.
  if not redis.call('ZSCORE', active, user) and not redis.call('ZSCORE', queue, user) then resume() end
  local freed = drop_active(user, 'left')
  drop_waiting(user, 'left')
  if freed then admit() end
elseif op == 'release' then
  -- Only the slot in which it was paid: the same news may come twice, the second time too late.
  local ends_at = tonumber(redis.call('ZSCORE', active, user) or nil)
  if ends_at and ends_at - active_ttl_ms < tonumber(ARGV[EXTRA]) and drop_active(user, 'paid') then admit() end
elseif op == 'heard' then
  -- Polls of people who wait, gathered by a replica: they are there, whatever their number.
  local there = {}
  for i = EXTRA, #ARGV do there[#there + 1] = now; there[#there + 1] = ARGV[i] end
  if #there > 0 then redis.call('ZADD', seen, 'XX', unpack(there)) end
elseif op == 'tick' then
  prune()
  admit()
elseif op == 'clear' then
  redis.call('HINCRBY', state, 'clears', 1)
  s[10] = tonumber(s[10] or 0) + 1
  for _, pair in ipairs({{queue, drop_waiting}, {active, drop_active}}) do
    local who = redis.call('ZRANGE', pair[1], 0, math.max(budget, 1) - 1)
    for i = 1, #who do pair[2](who[i], 'cleared') end
    budget = budget - #who
    if redis.call('ZCARD', pair[1]) > 0 then more = 1 break end
  end
elseif op == 'retire' then
  if waiting_n == 0 and active_n == 0 and (gate == CLOSED or not configured) then
    for i = 1, #KEYS do redis.call('EXPIRE', KEYS[i], configured and KEPT_S or STRANGERS_KEPT_S) end
    -- An admin's word is no stranger's.
    redis.call('EXPIRE', threshold, KEPT_S)
  end
elseif op == 'revive' then
  revive()
end
