-- A sliding window of one minute for one caller and category (R-GW-05): counts and decides in one
-- step. A refused call is not counted. KEYS[1] the window; ARGV: now_ms, window_ms, limit, member.
local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - window)
if redis.call('ZCARD', KEYS[1]) >= limit then
  return 0
end
redis.call('ZADD', KEYS[1], now, ARGV[4])
redis.call('PEXPIRE', KEYS[1], window)
return 1
