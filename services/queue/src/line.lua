-- One sale's tier-2 line. Every act on it is one run of this script, so nobody can be counted
-- twice or let in between a look and a deed (law hard-cap), and the log cannot disagree with what
-- was done. Held to urr_core::admission by a conformance test: the sum in admit() is that sum.
--
-- Time comes in as an argument (each replica opens by its own clock, law on-time) and is made the
-- line's clock: the latest instant anybody has named. A caller whose clock is behind, or who was
-- held up between reading it and being served, acts at the line's instant; so no token is earned
-- twice, and the log, which carries that instant, shows each admission after the time that paid
-- for it (law capacity-first).
--
-- Work per run is bounded by moves_max, as nothing else runs in Redis meanwhile; the caller
-- repeats while `more` is 1.

local queue, active, seen, active_seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limits, claims, log, state, threshold = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]

local op, called_at = ARGV[1], tonumber(ARGV[2])
local user, position, epoch = ARGV[3], ARGV[4], ARGV[5] -- '' where not given
local remembered = ARGV[6] == '1' -- the place is one that this line gave before Redis lost it
local entry_until = tonumber(ARGV[7] ~= '' and ARGV[7] or nil) -- end of a genuine entry token
local is_phone = ARGV[8] == '1'
local default_rate, default_burst, default_cap = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local default_silence_s, default_active_ttl_s = tonumber(ARGV[12]), tonumber(ARGV[13])
local default_token_ttl_s, seen_ttl_s = tonumber(ARGV[14]), tonumber(ARGV[15])
local phone_silence_s, line_max, moves_max = tonumber(ARGV[16]), tonumber(ARGV[17]), tonumber(ARGV[18])
-- Guards that are off: only where a test or a sabotaged drill shows what they are for.
local cap_guard = not string.find(ARGV[19], 'c', 1, true)
local clock_guard = not string.find(ARGV[19], 'k', 1, true)
local recovery_guard = not string.find(ARGV[19], 'r', 1, true)
-- What the caller knows of this line: its birth mark, and whether it had limits. If Redis knows
-- less, it lost the line, and nothing may be done as if there had never been one.
local expected_born, new_born, expects_limits = ARGV[20], ARGV[21], ARGV[22] == '1'
local EXTRA = 23 -- from here on: what only one act takes

-- A sale of a million visitors writes three entries each; older evidence is trimmed beyond that.
local LOG_MAX = 4000000
-- A closed sale's keys stay a week for the audit.
local KEPT_S = 604800
local WINDOW_MS = 60000
-- After a loss nobody new is let in for so long: whose turn is near polls more often than this
-- (http/shapes.rs tells them to), so nobody is overtaken for not having come back yet.
local HOLD_MS = 5000

-- Codes shared with store/view.rs.
local NONE, QUEUED, ACTIVE, FULL, TAKEN, NO_PLACE = 0, 1, 2, 3, 4, 5
local OPEN, EARLY, CLOSED, SOLD_OUT, PAUSED = 0, 1, 2, 3, 4

-- === what is known ===

local l = redis.call('HMGET', limits, 'rate_per_s', 'burst', 'cap', 'silence_s', 'active_ttl_s',
  'token_ttl_s', 'opens_at', 'closes_at', 'paused', 'sold_out', 'require_place', 'epoch')
local s = redis.call('HMGET', state, 'born', 'known', 'clock', 'signature', 'opened', 'opened_at',
  'watermark', 'lost_at', 'reserved', 'clears', 'seq')
local configured = l[1] and true or false
local born = s[1]
if recovery_guard and op ~= 'revive' then
  if expected_born ~= '' and not born then return {} end
  if (expects_limits or s[2] == '1') and not configured then return {} end
end

-- A look at an event nobody ever stood in line for leaves nothing behind.
local exists = born or configured or op == 'join' or op == 'revive'
local now, behind_ms = called_at, 0
local clock = tonumber(s[3] or nil)
if clock and clock > now then
  behind_ms = clock - now
  if clock_guard then now = clock end
elseif exists and (not clock or clock < now) then
  redis.call('HSET', state, 'clock', now)
end
if exists and not born then
  born = new_born
  redis.call('HSET', state, 'born', born)
end
if configured and s[2] ~= '1' then redis.call('HSET', state, 'known', '1') end

-- === limits in force ===

local rate = tonumber(l[1] or default_rate)
local burst = math.max(tonumber(l[2] or default_burst), 1)
local cap = tonumber(l[3] or default_cap)
local silence_ms = tonumber(l[4] or default_silence_s) * 1000
local active_ttl_ms = tonumber(l[5] or default_active_ttl_s) * 1000
local token_ttl_s = tonumber(l[6] or default_token_ttl_s)
local opens_at, closes_at = tonumber(l[7] or 0), tonumber(l[8] or 0)
local require_place = l[11] == '1'
-- A phone that sleeps says nothing for longer; counted as if it had spoken that much later.
local phone_extra_ms = math.max(phone_silence_s * 1000 - silence_ms, 0)
local patience_ms = is_phone and phone_extra_ms or 0

-- The admin's threshold: the cap of an event without a sale; of a sale it can only take away.
local set_threshold = tonumber(redis.call('GET', threshold) or nil)
if set_threshold then
  cap = configured and math.min(cap, set_threshold) or set_threshold
end

local gate = OPEN
if configured then
  if now < opens_at then gate = EARLY
  elseif now >= closes_at then gate = CLOSED
  elseif l[10] == '1' then gate = SOLD_OUT
  elseif l[9] == '1' then gate = PAUSED end
end

-- Slots kept free for those who were inside when Redis lost the line, until they would have been
-- silent for too long anyway.
local lost_at, reserved = tonumber(s[8] or nil), tonumber(s[9] or 0)
local function is_recovering()
  return lost_at and now < lost_at + silence_ms + phone_extra_ms
end

local waiting_n = redis.call('ZCARD', queue)
local active_n = redis.call('ZCARD', active)
local watermark = tonumber(s[7] or 0)
local moved, more = 0, 0

-- === the log ===

local function write(kind, at, who, place, reason)
  local entry = {'k', kind, 't', string.format('%.0f', at), 'a', active_n, 'c', cap, 'r', rate}
  if who then entry[#entry + 1] = 'u'; entry[#entry + 1] = who end
  if place then entry[#entry + 1] = 'p'; entry[#entry + 1] = place end
  if reason then entry[#entry + 1] = 'w'; entry[#entry + 1] = reason end
  redis.call('XADD', log, 'MAXLEN', '~', LOG_MAX, '*', unpack(entry))
end

-- The opening, once per line: the first act at or after opens_at.
local opened_at = tonumber(s[6] or 0)
if configured and gate ~= EARLY and gate ~= CLOSED and s[5] ~= l[12] and op ~= 'revive' then
  opened_at = now
  redis.call('HSET', state, 'opened', l[12], 'opened_at', now)
  write('open', now)
end

-- The replay of the log must know at which rate the time between two entries was credited.
local signature = rate .. ':' .. cap
if exists and s[4] ~= signature then
  redis.call('HSET', state, 'signature', signature)
  if s[4] then write('limits', now) end
end

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

-- Three quarters of the budget at most: a mass expiry must not stop the line.
local function prune()
  local most = math.max(math.floor(moves_max / 4), 1)
  drop_all(active, now, most, drop_active, 'expired')
  drop_all(active_seen, now - silence_ms, most, drop_active, 'silent')
  drop_all(seen, now - seen_ttl_s * 1000, most, drop_waiting, 'silent')
end

-- === letting people in: urr_core::admission::admit ===

local function admit()
  if gate == EARLY or gate == CLOSED or not exists then return end
  local b = redis.call('HMGET', state, 'tokens_milli', 'at')
  local depth = burst * 1000
  local tokens, at = tonumber(b[1] or nil), tonumber(b[2] or nil)
  if not tokens then
    tokens, at = depth, configured and opens_at or now
  end
  if lost_at and now < lost_at + HOLD_MS then
    redis.call('HSET', state, 'tokens_milli', 0, 'at', math.max(at, now))
    return
  end
  if gate ~= OPEN then
    -- Held: the line earns nothing meanwhile.
    redis.call('HSET', state, 'tokens_milli', math.min(math.max(tokens, 0), depth), 'at', math.max(at, now))
    return
  end
  tokens = math.min(math.max(tokens, 0) + math.max(now - at, 0) * rate, depth)
  local kept = lost_at and now < lost_at + silence_ms and reserved or 0
  local free = cap_guard and math.max(cap - active_n - kept, 0) or waiting_n
  local wanted = math.min(math.floor(tokens / 1000), free, waiting_n)
  local n = math.min(wanted, math.max(budget, 1))
  if n < wanted then more = 1 end
  redis.call('HSET', state, 'tokens_milli', tokens - n * 1000, 'at', math.max(at, now))
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
    watermark = math.max(watermark, tonumber(place))
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

-- === the acts ===

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

-- Who was inside when Redis lost the line takes the slot again, once: by the entry token, to its old
-- end; or, let in but not told yet, by a remembered place that the line had passed already.
local function resume()
  if not is_recovering() then return false end
  local ends_at = entry_until
  if not ends_at and remembered and tonumber(position) <= watermark then ends_at = now + active_ttl_ms end
  if not ends_at or ends_at <= now then return false end
  if cap_guard and active_n >= cap then return false end
  if redis.call('HSETNX', claims, 'resumed:' .. user, '1') == 0 then return false end
  redis.call('ZADD', active, math.min(ends_at, now + active_ttl_ms), user)
  redis.call('ZADD', active_seen, now + patience_ms, user)
  active_n = active_n + 1
  reserved = math.max(reserved - 1, 0)
  redis.call('HSET', state, 'reserved', reserved)
  write('resume', now, user)
  return true
end

-- What a replica remembers of a line that Redis lost: it knows another birth mark. The first who
-- tells opens the recovery; each later one adds what it saw further.
local function revive()
  if born == expected_born then return end
  watermark = math.max(watermark, tonumber(ARGV[EXTRA]))
  seq = math.max(seq, tonumber(ARGV[EXTRA + 2]))
  redis.call('HSET', state, 'watermark', watermark, 'seq', seq)
  if expects_limits then redis.call('HSET', state, 'known', '1') end
  local told_opened_at = tonumber(ARGV[EXTRA + 4])
  if told_opened_at > 0 and redis.call('HSETNX', state, 'opened', ARGV[EXTRA + 3]) == 1 then
    opened_at = told_opened_at
    redis.call('HSET', state, 'opened_at', opened_at)
    write('open', opened_at)
  end
  if not lost_at then
    lost_at = now
    redis.call('HSET', state, 'lost_at', now, 'tokens_milli', 0, 'at', now)
    redis.call('HINCRBY', state, 'admitted', ARGV[EXTRA + 5])
    write('revive', now)
  end
  if is_recovering() then
    reserved = math.max(reserved, tonumber(ARGV[EXTRA + 1]) - active_n)
    redis.call('HSET', state, 'reserved', reserved)
  end
end

local outcome = NONE

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
    for i = 1, #KEYS do redis.call('EXPIRE', KEYS[i], KEPT_S) end
  end
elseif op == 'revive' then
  revive()
end

-- === where the user stands now ===

local rank, ends_at = -1, 0
if user ~= '' and op ~= 'release' then
  local score = redis.call('ZSCORE', active, user)
  if score then
    outcome, ends_at = ACTIVE, tonumber(score)
  else
    local place = redis.call('ZSCORE', queue, user)
    if place then
      outcome, rank = QUEUED, redis.call('ZRANK', queue, user)
      position = place
    else
      position = ''
    end
  end
end

local c = redis.call('HMGET', state, 'admitted', 'window_at', 'window_n')
local window_ms = c[2] and math.max(now - tonumber(c[2]), 0) or 0
local answer = {
  outcome, rank, ends_at, waiting_n, active_n, cap, rate, burst, gate, opens_at, token_ttl_s,
  moved, more, l[9] == '1' and 1 or 0, tonumber(c[1] or 0), window_ms, tonumber(c[3] or 0), configured and 1 or 0,
  tonumber(born or 0), tonumber(s[10] or 0), tonumber(l[12] or 0), watermark, seq, opened_at,
  is_recovering() and 1 or 0, behind_ms, tonumber(position ~= '' and position or 0), now,
}

-- The places at some ranks, close together at the front: from these a replica tells those who
-- wait how many are ahead, without asking again.
if op == 'survey' then
  local at = 0
  while at < waiting_n do
    local knot = redis.call('ZRANGE', queue, at, at, 'WITHSCORES')
    answer[#answer + 1] = at
    answer[#answer + 1] = tonumber(knot[2])
    if at == waiting_n - 1 then break end
    local next_at = at < 16 and at + 1 or math.ceil(at * 1.125)
    at = math.min(next_at, waiting_n - 1)
  end
end

return answer
