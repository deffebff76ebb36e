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
