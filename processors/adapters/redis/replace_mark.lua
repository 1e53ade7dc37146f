-- Compare and set of a partition's mark.
-- KEYS[1] the mark; ARGV: the mark it replaces ('' for none), the new one.
-- Returns whether it was replaced.
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
