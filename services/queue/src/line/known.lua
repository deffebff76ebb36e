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
-- The parts of this directory are one script, in the order of store/call.rs; what a part declares, the
-- later ones use.
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
-- A closed sale's keys stay a week for the audit; those of an event that nobody declared, which anybody may
-- join, only until nobody is likely to come back.
local KEPT_S, STRANGERS_KEPT_S = 604800, 600
local WINDOW_MS = 60000
-- After a loss nobody new is let in for so long: whose turn is near polls more often than this
-- (http/shapes.rs tells them to), so nobody is overtaken for not having come back yet.
local HOLD_MS = 5000

-- Places of people who have had their turn count from here: behind every place of tier 1, whatever comes.
-- Shared with lines.rs.
local AGAIN = 1099511627776

-- Codes shared with store/view.rs.
local NONE, QUEUED, ACTIVE, FULL, TAKEN, NO_PLACE = 0, 1, 2, 3, 4, 5
local OPEN, EARLY, CLOSED, SOLD_OUT, PAUSED = 0, 1, 2, 3, 4

-- === what is known ===

local l = redis.call('HMGET', limits, 'rate_per_s', 'burst', 'cap', 'silence_s', 'active_ttl_s',
  'token_ttl_s', 'opens_at', 'closes_at', 'paused', 'sold_out', 'require_place', 'epoch')
local s = redis.call('HMGET', state, 'born', 'known', 'clock', 'signature', 'opened', 'opened_at',
  'watermark', 'lost_at', 'reserved', 'clears', 'seq', 'epoch', 'ending')
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
-- The line may have been retired, in a life before this sale or before anybody declared it.
local function keep()
  for i = 1, #KEYS do redis.call('PERSIST', KEYS[i]) end
end

if configured and s[2] ~= '1' then
  redis.call('HSET', state, 'known', '1')
  keep()
end

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

-- === a new line at the door ===

-- Its epoch is higher (the sale was deleted and put again, the room switched off and on), and its positions
-- count from 1 again. What the line before had counted would say that everybody is in already; who waits
-- with a place of that line has none in this one, and is taken out before anybody takes one
-- (drop_ended). Who is inside stays: slots are slots.
local line_epoch = tonumber(s[12] or s[5] or 0)
local ending = s[13] == '1'
if configured and tonumber(l[12] or 0) > line_epoch then
  if line_epoch > 0 then
    watermark, s[5], s[6] = 0, false, false
    redis.call('HDEL', state, 'watermark', 'admitted', 'window_at', 'window_n', 'opened', 'opened_at')
    if waiting_n > 0 then
      ending = true
      redis.call('HSET', state, 'ending', '1')
    end
  end
  keep()
  line_epoch = tonumber(l[12])
  redis.call('HSET', state, 'epoch', line_epoch)
end
