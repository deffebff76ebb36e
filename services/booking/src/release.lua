-- Deletes keys that belong to one user. ARGV: user. Another user's newer key stays.
local gone = 0
for _, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  if value and string.sub(value, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    gone = gone + redis.call('DEL', key)
  end
end
return gone
