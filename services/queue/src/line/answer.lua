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
  tonumber(born or 0), tonumber(s[10] or 0), line_epoch, watermark, seq, opened_at,
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
