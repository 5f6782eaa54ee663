-- Every step that must be one. Called with the step, the prefix of the keys, and what the step is
-- given; the keys are described in the documentation of `RedisSessionStore`.
--
-- Instants are texts of 20 digits that sort as the instants do: numbers here are floating point.
-- Scores are, too, so they only find what may be over; `lives` decides.

local prefix = ARGV[2]
local index = prefix .. 'sessions'
local cut_offs = prefix .. 'cut-offs'
local cut_off_ends = prefix .. 'cut-off-ends'

local function session(id)
  return prefix .. 'session:' .. id
end

local function sessions_of(subject)
  return prefix .. 'subject:' .. subject
end

local function lives(id, now)
  local ends = redis.call('HMGET', session(id), 'idle_expires_at', 'expires_at')
  return ends[1] and ends[2] and ends[1] > now and ends[2] > now
end

local function is_known(id, hash, now)
  return lives(id, now) and redis.call('HGET', session(id), 'secret_hash') == hash
end

local function add(id, subject, score, ...)
  redis.call('HSET', session(id), ...)
  redis.call('SADD', sessions_of(subject), id)
  redis.call('ZADD', index, score, id)
end

local function leave(id)
  local subject = redis.call('HGET', session(id), 'subject')
  if subject then
    redis.call('SREM', sessions_of(subject), id)
  end
  redis.call('ZREM', index, id)
end

local function remove(id)
  leave(id)
  return redis.call('DEL', session(id))
end

-- The ids of a subject's living sessions, the last created first.
local function living(subject, now)
  local found = {}
  for _, id in ipairs(redis.call('SMEMBERS', sessions_of(subject))) do
    if lives(id, now) then
      table.insert(found, { id = id, created_at = redis.call('HGET', session(id), 'created_at') })
    end
  end
  table.sort(found, function(one, other)
    if one.created_at ~= other.created_at then
      return one.created_at > other.created_at
    end
    return one.id < other.id
  end)
  return found
end

-- Steps that remove many are repeated until they find nothing. They say what they found and how
-- many sessions they removed.
local steps = {}

function steps.create(id, subject, score, kind, most, now, ...)
  if redis.call('EXISTS', session(id)) == 1 then
    return { 'taken' }
  end
  local answer = { 'stored' }
  if kind ~= 'any' then
    local there = living(subject, now)
    for place = tonumber(most), #there do
      table.insert(answer, there[place].id)
    end
  end
  if kind == 'reject' and #answer > 1 then
    return { 'limit' }
  end
  for place = 2, #answer do
    remove(answer[place])
  end
  add(id, subject, score, ...)
  return answer
end

function steps.touch(id, hash, now, score, ...)
  if not is_known(id, hash, now) then
    return 0
  end
  redis.call('HSET', session(id), ...)
  redis.call('ZADD', index, score, id)
  return 1
end

function steps.replace(old, hash, now, id, subject, score, ...)
  if not is_known(old, hash, now) then
    return 'gone'
  end
  if redis.call('EXISTS', session(id)) == 1 then
    return 'taken'
  end
  leave(old)
  -- The data stay where they are.
  redis.call('RENAME', session(old), session(id))
  redis.call('HDEL', session(id), 'address', 'agent')
  add(id, subject, score, ...)
  return 'done'
end

function steps.set_data(id, now, data)
  if not lives(id, now) then
    return 0
  end
  if data then
    redis.call('HSET', session(id), 'data', data)
  else
    redis.call('HDEL', session(id), 'data')
  end
  return 1
end

function steps.delete(id, subject)
  if redis.call('HGET', session(id), 'subject') ~= subject then
    return 0
  end
  return remove(id)
end

function steps.delete_all(subject, keep)
  local removed = 0
  for _, id in ipairs(redis.call('SMEMBERS', sessions_of(subject))) do
    if id ~= keep then
      removed = removed + remove(id)
    end
  end
  return removed
end

function steps.delete_some(most)
  local removed = 0
  local there = redis.call('ZRANGE', index, 0, most - 1)
  for _, id in ipairs(there) do
    removed = removed + remove(id)
  end
  return { #there, removed }
end

function steps.list(subject, now, ...)
  local records = {}
  for place, there in ipairs(living(subject, now)) do
    records[place] = redis.call('HMGET', session(there.id), ...)
  end
  return records
end

function steps.cut_off(subject, instant, score)
  local there = redis.call('HGET', cut_offs, subject)
  if not there or there < instant then
    redis.call('HSET', cut_offs, subject, instant)
  end
  return redis.call('ZADD', cut_off_ends, 'GT', score, subject)
end

function steps.sweep(now, score, most)
  local over, removed = 0, 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', score, 'LIMIT', 0, most)) do
    if not lives(id, now) then
      over = over + 1
      removed = removed + remove(id)
    end
  end
  return { over, removed }
end

function steps.sweep_notes(score, most)
  local over = redis.call('ZRANGEBYSCORE', cut_off_ends, '-inf', score, 'LIMIT', 0, most)
  for _, subject in ipairs(over) do
    redis.call('HDEL', cut_offs, subject)
    redis.call('ZREM', cut_off_ends, subject)
  end
  local denials = prefix .. 'denials'
  local denied = redis.call('ZRANGEBYSCORE', denials, '-inf', score, 'LIMIT', 0, most)
  for _, id in ipairs(denied) do
    redis.call('ZREM', denials, id)
  end
  return { #over + #denied, 0 }
end

return steps[ARGV[1]](unpack(ARGV, 3))
