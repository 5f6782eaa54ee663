-- Every step that must be one. Called with the step, the prefix of the keys, and what the step is
-- given; the keys are described in the documentation of `RedisSessionStore`.
--
-- Instants are texts of 20 digits that sort as the instants do: numbers here are floating point.
-- Scores are, too, so they only find what may be over; `lives` decides.
--
-- Redis undoes nothing when a script fails. So a step looks at the types of the keys that it writes
-- before it writes the first of them, and what goes through many takes a key of another type for none.

local prefix = ARGV[2]
local index = prefix .. 'sessions'
local ended_sets = prefix .. 'ended-sets'
local cut_offs = prefix .. 'cut-offs'
local cut_off_ends = prefix .. 'cut-off-ends'
local generations = prefix .. 'generations'
local replaced_ends = prefix .. 'replaced-ends'
local denials = prefix .. 'denials'

-- How many sessions a step goes through at the most, because Redis does nothing else meanwhile.
local MOST = 100

local function session(id)
  return prefix .. 'session:' .. id
end

local function sessions_of(subject)
  return prefix .. 'sessions-of:' .. subject
end

local function ends_of(subject)
  return prefix .. 'ends-of:' .. subject
end

local function ended(name)
  return prefix .. 'ended:' .. name
end

local function replaced(id)
  return prefix .. 'replaced:' .. id
end

local function line_key(line)
  return prefix .. 'line:' .. line
end

local function kind_of(key)
  return redis.call('TYPE', key).ok
end

local function must_be(kind, ...)
  for _, key in ipairs({ ... }) do
    local there = kind_of(key)
    if there ~= 'none' and there ~= kind then
      error('a key of another type')
    end
  end
end

-- The id in a member of a set of sessions, which may have the instant of creation before it.
local function id_of(member)
  return string.sub(member, -32)
end

-- Whether a session lives; nil where nobody can tell.
--
-- INVARIANT (listed): a session lives while all that would end it finds it. Where Redis removed one of
-- those keys to make room, its sessions are over.
local function state(id, now)
  local it = redis.pcall('HMGET', session(id), 'idle_expires_at', 'expires_at', 'subject', 'created_at')
  if it.err then
    return nil
  end
  local idle, absolute, subject, created_at = it[1], it[2], it[3], it[4]
  if not (idle or absolute or subject or created_at) then
    return false
  end
  if not (idle and absolute and subject and created_at) then
    return nil
  end
  if idle <= now or absolute <= now then
    return false
  end
  local of_subject = redis.call('ZSCORE', sessions_of(subject), created_at .. id)
  local of_all = redis.call('ZSCORE', index, id)
  return (of_subject and of_all) and true or false
end

local function lives(id, now)
  local alive = state(id, now)
  if alive == nil then
    error('a malformed session')
  end
  return alive
end

local function is_known(id, hash, now)
  return lives(id, now) and redis.call('HGET', session(id), 'secret_hash') == hash
end

local function list(id, subject, created_at, score)
  redis.call('ZADD', sessions_of(subject), 0, created_at .. id)
  redis.call('ZADD', ends_of(subject), score, id)
  redis.call('ZADD', index, score, id)
end

local function drop(key, member)
  if kind_of(key) == 'zset' then
    redis.call('ZREM', key, member)
  end
end

local function leave(id)
  local it = redis.pcall('HMGET', session(id), 'subject', 'created_at')
  if it[1] and it[2] then
    drop(sessions_of(it[1]), it[2] .. id)
    drop(ends_of(it[1]), id)
  end
  drop(index, id)
end

local function remove(id)
  leave(id)
  local line = redis.pcall('HGET', session(id), 'line')
  if type(line) == 'string' then
    redis.call('DEL', line_key(line))
  end
  return redis.call('DEL', session(id))
end

-- How many sessions of a subject live at the instant of this score.
local function count(subject, at)
  local living = redis.call('ZCOUNT', ends_of(subject), '(' .. at, '+inf')
  return math.min(living, redis.call('ZCARD', sessions_of(subject)))
end

-- Some of a subject's sessions, the last created first, from where the last step ended; and where this one
-- ended, if that was not the end.
local function page(subject, from)
  local before = from == '' and '+' or '(' .. from
  local some = redis.call('ZREVRANGEBYLEX', sessions_of(subject), before, '-', 'LIMIT', 0, MOST)
  return some, #some == MOST and some[MOST] or ''
end

-- Removes a session of a subject, whatever is known of it.
local function strike(subject, member)
  local id = id_of(member)
  redis.call('ZREM', sessions_of(subject), member)
  redis.call('ZREM', ends_of(subject), id)
  remove(id)
end

-- Ends the oldest sessions of a subject, but not `kept`, until it has no more than `most` that live. Says
-- which of them lived, and whether there is more to do.
local function trim(subject, now, at, most, kept)
  local ended_ids = {}
  local oldest = redis.call('ZRANGE', sessions_of(subject), 0, MOST - 1)
  for _, member in ipairs(oldest) do
    if count(subject, at) <= most then
      return ended_ids, '0'
    end
    local id = id_of(member)
    if id ~= kept then
      if state(id, now) then
        table.insert(ended_ids, id)
      end
      strike(subject, member)
    end
  end
  local goes_on = #oldest == MOST and count(subject, at) > most
  return ended_ids, goes_on and '1' or '0'
end

-- Steps that remove many are repeated until they find nothing. They say what they found and how
-- many sessions they removed.
local steps = {}

-- Without an old session its id is empty.
function steps.create(old, old_hash, id, subject, score, kind, most, now, at, ...)
  if redis.call('EXISTS', session(id)) == 1 then
    return { 'taken' }
  end
  must_be('zset', index, sessions_of(subject), ends_of(subject))
  if old ~= '' and not is_known(old, old_hash, now) then
    return { 'gone' }
  end
  most = tonumber(most)
  if kind == 'reject' then
    local others = count(subject, at)
    if old ~= '' and redis.call('HGET', session(old), 'subject') == subject then
      others = others - 1
    end
    if others >= most then
      return { 'limit' }
    end
  end
  if old ~= '' then
    remove(old)
  end
  redis.call('HSET', session(id), ...)
  list(id, subject, now, score)
  if kind ~= 'evict' then
    return { 'stored', '0' }
  end
  local ended_ids, goes_on = trim(subject, now, at, most, id)
  return { 'stored', goes_on, unpack(ended_ids) }
end

-- The rest of what a limit ends, where that is more than one step takes.
function steps.trim(subject, now, at, most, kept)
  must_be('zset', index, sessions_of(subject), ends_of(subject))
  local ended_ids, goes_on = trim(subject, now, at, tonumber(most), kept)
  return { goes_on, unpack(ended_ids) }
end

-- Removes those of some sessions of a subject that do not live, so that they are not counted.
function steps.prune(subject, now, from)
  must_be('zset', index, sessions_of(subject), ends_of(subject))
  local some, next = page(subject, from)
  local removed = 0
  for _, member in ipairs(some) do
    if state(id_of(member), now) == false then
      strike(subject, member)
      removed = removed + 1
    end
  end
  return { next, removed }
end

function steps.load(id, now, ...)
  if not lives(id, now) then
    return {}
  end
  return redis.call('HMGET', session(id), ...)
end

function steps.touch(id, hash, now, score, ...)
  if not is_known(id, hash, now) then
    return 0
  end
  local ends = ends_of(redis.call('HGET', session(id), 'subject'))
  must_be('zset', ends)
  redis.call('HSET', session(id), ...)
  redis.call('ZADD', index, score, id)
  redis.call('ZADD', ends, score, id)
  return 1
end

function steps.replace(old, hash, now, id, subject, created_at, score, ends, ...)
  if not is_known(old, hash, now) then
    return 'gone'
  end
  if redis.call('EXISTS', session(id)) == 1 then
    return 'taken'
  end
  must_be('zset', sessions_of(subject), ends_of(subject), replaced_ends)
  must_be('hash', replaced(old))
  leave(old)
  local line = redis.call('HGET', session(old), 'line') or old
  -- The data stay where they are.
  redis.call('RENAME', session(old), session(id))
  redis.call('HDEL', session(id), 'address', 'agent')
  redis.call('HSET', session(id), ...)
  redis.call('HSET', session(id), 'line', line)
  list(id, subject, created_at, score)
  redis.call('SET', line_key(line), id)
  redis.call('HSET', replaced(old), 'secret_hash', hash, 'line', line)
  redis.call('ZADD', replaced_ends, ends, old)
  return 'done'
end

function steps.successor(id, hash, now, ...)
  local there = redis.call('HMGET', replaced(id), 'secret_hash', 'line')
  if not there[1] or there[1] ~= hash then
    return {}
  end
  local successor = redis.call('GET', line_key(there[2]))
  if not successor or not lives(successor, now) then
    return {}
  end
  return redis.call('HMGET', session(successor), ...)
end

function steps.set_data(id, now, version, data)
  if not lives(id, now) then
    return 'gone'
  end
  local there = redis.call('HGET', session(id), 'data_version') or '0'
  if version ~= '' and version ~= there then
    return 'stale'
  end
  -- It fails where the version is no number.
  redis.call('HINCRBY', session(id), 'data_version', 1)
  if data then
    redis.call('HSET', session(id), 'data', data)
  else
    redis.call('HDEL', session(id), 'data')
  end
  return 'done'
end

function steps.delete(id, subject)
  if redis.call('HGET', session(id), 'subject') ~= subject then
    return 0
  end
  return remove(id)
end

-- Ends all sessions of a subject at once: what lists them goes away under a name of its own, by which
-- `clear` removes them afterwards. Says how many.
function steps.delete_all(subject, keep, name)
  local there = sessions_of(subject)
  must_be('zset', there, index)
  must_be('set', ended_sets)
  local number = redis.call('ZCARD', there)
  local kept = false
  if keep ~= '' then
    local created_at = redis.pcall('HGET', session(keep), 'created_at')
    kept = type(created_at) == 'string' and created_at .. keep
    kept = kept and redis.call('ZSCORE', there, kept) and kept
  end
  if kept then
    number = number - 1
  end
  if number == 0 then
    return 0
  end
  redis.call('SADD', ended_sets, name)
  redis.call('RENAME', there, ended(name))
  if kept then
    redis.call('ZREM', ended(name), kept)
    redis.call('ZADD', there, 0, kept)
  end
  return number
end

function steps.delete_everyone(name)
  must_be('zset', index)
  must_be('set', ended_sets)
  local number = redis.call('ZCARD', index)
  if number > 0 then
    redis.call('SADD', ended_sets, name)
    redis.call('RENAME', index, ended(name))
  end
  return number
end

-- Removes some of the sessions that were ended together under a name, or under any.
function steps.clear(name)
  local any = name == ''
  must_be('zset', index)
  if any then
    name = redis.call('SRANDMEMBER', ended_sets)
    if not name then
      return { 0, 0 }
    end
  end
  must_be('set', ended_sets)
  if kind_of(ended(name)) ~= 'zset' then
    redis.call('SREM', ended_sets, name)
    return { any and 1 or 0, 0 }
  end
  local removed = 0
  local some = redis.call('ZRANGE', ended(name), 0, MOST - 1)
  for _, member in ipairs(some) do
    removed = removed + remove(id_of(member))
    redis.call('ZREM', ended(name), member)
  end
  if #some < MOST then
    redis.call('SREM', ended_sets, name)
  end
  return { #some, removed }
end

-- Some of a subject's living sessions, as `page`.
function steps.list(subject, now, from, ...)
  local some, next = page(subject, from)
  local records = {}
  for _, member in ipairs(some) do
    local id = id_of(member)
    if lives(id, now) then
      table.insert(records, redis.call('HMGET', session(id), ...))
    end
  end
  return { next, records }
end

function steps.generations(subject, first)
  redis.call('HSETNX', generations, '', first)
  return redis.call('HMGET', generations, '', subject)
end

function steps.raise_generation(subject, amount)
  if subject == '' and redis.call('HEXISTS', generations, '') == 0 then
    return 0
  end
  return redis.call('HINCRBY', generations, subject, amount)
end

function steps.raise_generation_from(subject, from, amount)
  if (redis.call('HGET', generations, subject) or '0') ~= from then
    return 0
  end
  redis.call('HINCRBY', generations, subject, amount)
  return 1
end

function steps.cut_off(subject, instant, score)
  local there = redis.call('HGET', cut_offs, subject)
  must_be('zset', cut_off_ends)
  if not there or there < instant then
    redis.call('HSET', cut_offs, subject, instant)
  end
  return redis.call('ZADD', cut_off_ends, 'GT', score, subject)
end

function steps.sweep(now, score)
  local over, removed = 0, 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', score, 'LIMIT', 0, MOST)) do
    if not state(id, now) then
      over = over + 1
      removed = removed + remove(id)
    end
  end
  return { over, removed }
end

function steps.sweep_notes(score)
  must_be('hash', cut_offs)
  must_be('zset', cut_off_ends, denials, replaced_ends)
  local over = redis.call('ZRANGEBYSCORE', cut_off_ends, '-inf', score, 'LIMIT', 0, MOST)
  for _, subject in ipairs(over) do
    redis.call('HDEL', cut_offs, subject)
    redis.call('ZREM', cut_off_ends, subject)
  end
  local denied = redis.call('ZRANGEBYSCORE', denials, '-inf', score, 'LIMIT', 0, MOST)
  for _, id in ipairs(denied) do
    redis.call('ZREM', denials, id)
  end
  local gone = redis.call('ZRANGEBYSCORE', replaced_ends, '-inf', score, 'LIMIT', 0, MOST)
  for _, id in ipairs(gone) do
    redis.call('DEL', replaced(id))
    redis.call('ZREM', replaced_ends, id)
  end
  return { #over + #denied + #gone, 0 }
end

return steps[ARGV[1]](unpack(ARGV, 3))
