-- Compare and set, guarded by the last window applied.
-- KEYS[1] the record; ARGV: session and end of the window the writer built on ('' and '' for none), session and end of
-- the new one, the new body, seconds until an untouched record is forgotten.
-- Returns false when stored, else the body that is stored.
local stored = redis.call('HMGET', KEYS[1], 'session_id', 'end_sample', 'body')
if stored[1] then
  local same = stored[1] == ARGV[1] and stored[2] == ARGV[2]
  -- An older window of the same session: this Redis has lost what the writer had stored.
  local older = stored[1] == ARGV[1] and tonumber(stored[2]) < tonumber(ARGV[2])
  if not (same or older) then
    return stored[3]
  end
end
redis.call('HSET', KEYS[1], 'session_id', ARGV[3], 'end_sample', ARGV[4], 'body', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[6])
return false
