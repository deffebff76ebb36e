-- === after a loss of Redis ===

-- Who was inside when Redis lost the line takes the slot again, once: by the entry token, to its old
-- end; or, let in but not told yet, by a remembered place that the line had passed already.
local function resume()
  if not is_recovering() then return false end
  local ends_at = entry_until
  local is_of_this_line = remembered and tonumber(epoch) == line_epoch
  if not ends_at and is_of_this_line and tonumber(position) <= watermark then ends_at = now + active_ttl_ms end
  if not ends_at or ends_at <= now then return false end
  if cap_guard and active_n >= cap then return false end
  if redis.call('HSETNX', claims, 'resumed:' .. user, '1') == 0 then return false end
  ends_at = math.min(ends_at, now + active_ttl_ms)
  redis.call('ZADD', active, ends_at, user)
  note_turn(user, ends_at)
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
  seq = math.max(seq, tonumber(ARGV[EXTRA + 2]))
  redis.call('HSET', state, 'seq', seq)
  if expects_limits then redis.call('HSET', state, 'known', '1') end
  local told_epoch, told_opened_at = tonumber(ARGV[EXTRA + 3]), tonumber(ARGV[EXTRA + 4])
  if told_epoch > line_epoch then
    watermark, line_epoch = 0, told_epoch
    redis.call('HSET', state, 'epoch', line_epoch)
  end
  -- What was seen of an earlier line says nothing of this one.
  local is_of_this_line = told_epoch == line_epoch
  if is_of_this_line then
    watermark = math.max(watermark, tonumber(ARGV[EXTRA]))
    redis.call('HSET', state, 'watermark', watermark)
  end
  if is_of_this_line and told_opened_at > 0 and redis.call('HSETNX', state, 'opened', ARGV[EXTRA + 3]) == 1 then
    opened_at = told_opened_at
    redis.call('HSET', state, 'opened_at', opened_at)
    write('open', opened_at)
  end
  if not lost_at then
    lost_at = now
    redis.call('HSET', state, 'lost_at', now, 'tokens_milli', 0, 'at', now)
    if is_of_this_line then redis.call('HINCRBY', state, 'admitted', ARGV[EXTRA + 5]) end
    write('revive', now)
  end
  if is_recovering() then
    reserved = math.max(reserved, tonumber(ARGV[EXTRA + 1]) - active_n)
    redis.call('HSET', state, 'reserved', reserved)
  end
end
