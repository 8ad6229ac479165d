import { type RedisScript, redisScript } from '@celery/redis'

/**
 * Lua functions that find the state in a stored record and decide as `mayReplace` of `@celery/backend` does.
 *
 *     state_of_head(text)        the state in the first 512 bytes, of everything that puts it there, or nil
 *     state_of(text)             the state in a whole record, or nil
 *     may_replace(state, next)   state may be nil
 */
export const JUDGE_RECORD: string = String.raw`
local function state_of_mark(text)
  local state = string.match(text, '^celery%-state ([^\n]*)\n')
  if string.byte(state or '') ~= 34 then return state end
  local parsed, states = pcall(cjson.decode, '[' .. state .. ']')
  return parsed and type(states[1]) == 'string' and states[1] or state
end

local function state_of_head(text)
  local state = state_of_mark(text) or string.match(text, '^%s*{%s*"status"%s*:%s*"([^"\\]+)"')
  if state then return state end
  local first = string.byte(text) or 0
  local from, to = string.find(text, 'status', 1, true)
  if first < 128 or not from or from > 64 then return nil end
  local at = to + 1
  if first > 128 then
    -- MessagePack: the length is in the byte before the text, or in one of its own.
    if string.byte(text, from - 1) ~= 166 then return nil end
    local mark = string.byte(text, at) or 0
    if mark > 160 and mark < 192 then return string.sub(text, at + 1, at + mark - 160) end
    if mark == 217 then return string.sub(text, at + 2, at + 1 + (string.byte(text, at + 1) or 0)) end
    return nil
  end
  -- Pickle: it may remember the key before the text comes.
  local remember = string.byte(text, at)
  if remember == 148 then at = at + 1 elseif remember == 113 then at = at + 2 elseif remember == 114 then at = at + 5 end
  local mark, length = string.byte(text, at) or 0, string.byte(text, at + 1) or 0
  if mark == 140 or mark == 85 then return string.sub(text, at + 2, at + 1 + length) end
  if mark == 88 then return string.sub(text, at + 5, at + 4 + length) end
  return nil
end

local function state_of(text)
  local marked = state_of_mark(text)
  if marked then return marked end
  if string.find(text, '^%s*{') then
    -- Parsing a long one would hold up everybody else's commands, and any other look might find what stands in its result.
    if #text > 1048576 then return nil end
    local parsed, record = pcall(cjson.decode, text)
    return parsed and type(record) == 'table' and type(record.status) == 'string' and record.status or nil
  end
  if (string.byte(text) or 128) >= 128 then return nil end
  local line = string.match(text, '^status:[ \t]+([^\n]+)') or string.match(text, '\nstatus:[ \t]+([^\n]+)')
  return line and (string.match(line, '^["\'](.*)["\']%s*$') or string.match(line, '^(.-)%s*$'))
end

local before_started = { PENDING = true, RECEIVED = true, STARTED = true, RETRY = true, REJECTED = true, IGNORED = true }

local function may_replace(state, next)
  if state == 'SUCCESS' or state == 'REVOKED' then return false end
  if state == 'FAILURE' then return next == 'SUCCESS' end
  return next ~= 'STARTED' or state == nil or before_started[state] == true
end
`

/**
 * Stores `value` under `key`, of a task in `state`, for `ttl` milliseconds (0 for ever), unless a final record stands in its
 * way, and publishes it under its key, as Celery does. Mostly there is nothing in its way, and the judge is not called in.
 */
const STORE = `
local stored
if ttl == '0' then stored = redis.pcall('SET', key, value, 'NX') else stored = redis.pcall('SET', key, value, 'PX', ttl, 'NX') end
if not stored then
  ${JUDGE_RECORD}
  local head = redis.pcall('GETRANGE', key, 0, 511)
  if type(head) == 'table' then
    -- A key of another type holds no record, and whoever made it does not follow Celery's names.
    if not string.find(head.err, 'WRONGTYPE', 1, true) then return head end
    head = ''
  end
  local current = state_of_head(head) or state_of(#head < 512 and head or redis.call('GET', key))
  if not may_replace(current, state) then return nil end
  if ttl == '0' then stored = redis.pcall('SET', key, value) else stored = redis.pcall('SET', key, value, 'PX', ttl) end
end
if stored.err then return stored end
local published = redis.pcall('PUBLISH', key, value)
if type(published) == 'table' then return published end
return nil
`

/**
 * The body of a Lua function that stores one record, for a `RedisWrite`.
 *
 *     KEYS[1]  the task's key
 *     ARGV     record, its state, milliseconds to live (0 for ever)
 *
 * Raises no error; returns nothing, or the error table of what went wrong.
 */
export const STORE_RECORD: string = `
local key, value, state, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
${STORE}`

/** Stores many. KEYS: the tasks' keys. ARGV: as above, for each key. Returns the first error, and stores the others. */
export const storeRecords: RedisScript = redisScript(`
local function store(key, value, state, ttl)
${STORE}
end
local failed
for i, key in ipairs(KEYS) do
  local fault = store(key, ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i])
  failed = failed or fault
end
return failed
`)

/** Stores values that know no state, in place of whatever is there. KEYS, ARGV as above, without the state. */
export const setValues: RedisScript = redisScript(`
for i, key in ipairs(KEYS) do
  local value, ttl = ARGV[2 * i - 1], ARGV[2 * i]
  if ttl == '0' then redis.call('SET', key, value) else redis.call('SET', key, value, 'PX', ttl) end
  redis.call('PUBLISH', key, value)
end
`)

/**
 * Reads values in the order of their keys until they are `ARGV[1]` bytes together, at least one. What holds no value, like a
 * key of another type, is nothing.
 */
export const getSome: RedisScript = redisScript(`
local values, bytes = {}, 0
for i, key in ipairs(KEYS) do
  local value = redis.pcall('GET', key)
  if type(value) ~= 'string' then value = false end
  bytes = bytes + #(value or '')
  if i > 1 and bytes > tonumber(ARGV[1]) then break end
  values[i] = value
end
return values
`)
