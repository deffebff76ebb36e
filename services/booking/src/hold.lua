-- Takes all keys for one user or none. ARGV: user, value, now (ms), ttl (ms).
-- Answers {0, i..}: taken, with the 1-based keys that are new; {j}: key j is somebody else's.
-- A value is "user:fence:expiresMs"; one past its end counts as free.
local fresh = {0}
for i, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  if value then
    local user, ends = string.match(value, '^([^:]*):[^:]*:(%d+)$')
    if user and tonumber(ends) > tonumber(ARGV[3]) then
      if user ~= ARGV[1] then return {i} end
    else
      fresh[#fresh + 1] = i
    end
  else
    fresh[#fresh + 1] = i
  end
end
for i = 2, #fresh do redis.call('SET', KEYS[fresh[i]], ARGV[2], 'PX', ARGV[4]) end
return fresh
