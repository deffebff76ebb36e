-- One sale's tier-2 line. Every act on it is one run of this script, so nobody can be counted
-- twice or let in between a look and a deed (law hard-cap), and the log cannot disagree with what
-- was done. Held to urr_core::admission by a conformance test: the sum in admit() is that sum.
--
-- Time comes in as an argument (each replica opens by its own clock, law on-time); a replica whose
-- clock is behind earns nothing and takes nothing back. Work per run is bounded by moves_max, as
-- nothing else runs in Redis meanwhile; the caller repeats while `more` is 1.

local queue, active, seen, active_seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limits, claims, log, state, threshold = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]

local op, now = ARGV[1], tonumber(ARGV[2])
local user, position, epoch = ARGV[3], ARGV[4], ARGV[5] -- '' where not given
local default_rate, default_burst, default_cap = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local default_silence_s, default_active_ttl_s = tonumber(ARGV[9]), tonumber(ARGV[10])
local default_token_ttl_s, seen_ttl_s = tonumber(ARGV[11]), tonumber(ARGV[12])
local line_max, moves_max = tonumber(ARGV[13]), tonumber(ARGV[14])
-- '1': the caller has seen limits for this sale. If there are none, Redis lost them, and nothing
-- may be done by the defaults.
local expects_limits = ARGV[16] == '1'
local cap_guard = ARGV[15] == '1' -- '0' only where a test or a sabotaged drill shows what it is for

-- A sale of a million visitors writes three entries each; older evidence is trimmed beyond that.
local LOG_MAX = 4000000
-- A closed sale's keys stay a week for the audit.
local KEPT_S = 604800
local WINDOW_MS = 60000

-- Codes shared with store.rs.
local NONE, QUEUED, ACTIVE, FULL, TAKEN, NO_PLACE = 0, 1, 2, 3, 4, 5
local OPEN, EARLY, CLOSED, SOLD_OUT, PAUSED = 0, 1, 2, 3, 4

-- === limits in force ===

local l = redis.call('HMGET', limits, 'rate_per_s', 'burst', 'cap', 'silence_s', 'active_ttl_s',
  'token_ttl_s', 'opens_at', 'closes_at', 'paused', 'sold_out', 'require_place', 'epoch')
local configured = l[1] and true or false
if expects_limits and not configured then return {} end
local rate = tonumber(l[1] or default_rate)
local burst = math.max(tonumber(l[2] or default_burst), 1)
local cap = tonumber(l[3] or default_cap)
local silence_ms = tonumber(l[4] or default_silence_s) * 1000
local active_ttl_ms = tonumber(l[5] or default_active_ttl_s) * 1000
local token_ttl_s = tonumber(l[6] or default_token_ttl_s)
local opens_at, closes_at = tonumber(l[7] or 0), tonumber(l[8] or 0)
local require_place = l[11] == '1'

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

local waiting_n = redis.call('ZCARD', queue)
local active_n = redis.call('ZCARD', active)
local moved, more = 0, 0

-- === the log ===

local function write(kind, who, place, reason)
  local entry = {'k', kind, 't', ARGV[2], 'a', active_n, 'c', cap, 'r', rate}
  if who then entry[#entry + 1] = 'u'; entry[#entry + 1] = who end
  if place then entry[#entry + 1] = 'p'; entry[#entry + 1] = place end
  if reason then entry[#entry + 1] = 'w'; entry[#entry + 1] = reason end
  redis.call('XADD', log, 'MAXLEN', '~', LOG_MAX, '*', unpack(entry))
end

-- The opening, once per line: the first act at or after opens_at.
if configured and gate ~= EARLY and gate ~= CLOSED then
  if redis.call('HGET', state, 'opened') ~= l[12] then
    redis.call('HSET', state, 'opened', l[12])
    write('open')
  end
end

-- === taking people out ===

local function drop_active(who, reason)
  if redis.call('ZREM', active, who) == 1 then
    redis.call('ZREM', active_seen, who)
    active_n = active_n - 1
    write('leave', who, nil, reason)
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
  write('leave', who, place, reason)
  return true
end

local function each(set, up_to, drop, reason)
  local who = redis.call('ZRANGEBYSCORE', set, '-inf', up_to, 'LIMIT', 0, moves_max)
  for i = 1, #who do drop(who[i], reason) end
  if #who == moves_max then more = 1 end
end

local function prune()
  each(active, now, drop_active, 'expired')
  each(active_seen, now - silence_ms, drop_active, 'silent')
  each(seen, now - seen_ttl_s * 1000, drop_waiting, 'silent')
end

-- === letting people in: urr_core::admission::admit ===

local function admit()
  if gate == EARLY or gate == CLOSED then return end
  local b = redis.call('HMGET', state, 'tokens_milli', 'at')
  local depth = burst * 1000
  local tokens, at = tonumber(b[1] or nil), tonumber(b[2] or nil)
  if not tokens then
    tokens, at = depth, configured and opens_at or now
  end
  if gate ~= OPEN then
    -- Held: the line earns nothing meanwhile.
    redis.call('HSET', state, 'tokens_milli', math.min(math.max(tokens, 0), depth), 'at', math.max(at, now))
    return
  end
  tokens = math.min(math.max(tokens, 0) + math.max(now - at, 0) * rate, depth)
  local free = cap_guard and math.max(cap - active_n, 0) or waiting_n
  local wanted = math.min(math.floor(tokens / 1000), free, waiting_n)
  local n = math.min(wanted, moves_max)
  if n < wanted then more = 1 end
  redis.call('HSET', state, 'tokens_milli', tokens - n * 1000, 'at', math.max(at, now))
  if n <= 0 then return end
  local first = redis.call('ZPOPMIN', queue, n)
  for i = 1, #first, 2 do
    local who, place = first[i], first[i + 1]
    redis.call('ZREM', seen, who)
    redis.call('ZADD', active, now + active_ttl_ms, who)
    redis.call('ZADD', active_seen, now, who)
    active_n = active_n + 1
    waiting_n = waiting_n - 1
    moved = moved + 1
    write('admit', who, place)
  end
  redis.call('HINCRBY', state, 'admitted', moved)
  local window_at = tonumber(redis.call('HGET', state, 'window_at') or nil)
  if not window_at or now - window_at > WINDOW_MS then
    redis.call('HSET', state, 'window_at', now, 'window_n', moved)
  else
    redis.call('HINCRBY', state, 'window_n', moved)
  end
end

-- === the acts ===

local function enqueue()
  if waiting_n >= line_max then return FULL end
  local place
  if require_place then
    if position == '' or tonumber(epoch) < tonumber(l[12]) then return NO_PLACE end
    local claim = epoch .. ':' .. position
    local holder = redis.call('HGET', claims, claim)
    if holder and holder ~= user then return TAKEN end
    redis.call('HSET', claims, claim, user)
    place = position
  else
    place = redis.call('HINCRBY', state, 'seq', 1)
  end
  redis.call('ZADD', queue, place, user)
  redis.call('ZADD', seen, now, user)
  waiting_n = waiting_n + 1
  write('enqueue', user, place)
  return QUEUED
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
    redis.call('ZADD', active_seen, now, user)
  elseif redis.call('ZSCORE', queue, user) then
    redis.call('ZADD', seen, now, user)
    outcome = QUEUED
  elseif op == 'join' then
    outcome = enqueue()
  end
  if op == 'join' then
    prune()
    admit()
  end
elseif op == 'leave' then
  drop_active(user, 'left')
  drop_waiting(user, 'left')
elseif op == 'tick' then
  prune()
  admit()
elseif op == 'clear' then
  for _, pair in ipairs({{queue, drop_waiting}, {active, drop_active}}) do
    local who = redis.call('ZRANGE', pair[1], 0, moves_max - 1)
    for i = 1, #who do pair[2](who[i], 'cleared') end
    if #who == moves_max then more = 1 end
  end
elseif op == 'retire' then
  if waiting_n == 0 and active_n == 0 and gate == CLOSED then
    for i = 1, #KEYS do redis.call('EXPIRE', KEYS[i], KEPT_S) end
  end
end

-- === where the user stands now ===

local rank, ends_at = -1, 0
if user ~= '' then
  local score = redis.call('ZSCORE', active, user)
  if score then
    outcome, ends_at = ACTIVE, tonumber(score)
  else
    rank = redis.call('ZRANK', queue, user) or -1
  end
end

local s = redis.call('HMGET', state, 'admitted', 'window_at', 'window_n')
local window_ms = s[2] and math.max(now - tonumber(s[2]), 0) or 0
return {
  outcome, rank, ends_at, waiting_n, active_n, cap, rate, burst, gate, opens_at, token_ttl_s,
  moved, more, l[9] == '1' and 1 or 0, tonumber(s[1] or 0), window_ms, tonumber(s[3] or 0), configured and 1 or 0,
}
