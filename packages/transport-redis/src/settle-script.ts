import { type RedisScript, redisScript } from '@celery/redis'
import { deadLetterLimits } from '@celery/transport'
import { clock, noting, portions, pushing, returning, tags, wrapping } from './lua.ts'

/**
 * Ends deliveries that need nothing more.
 *
 * KEYS: unacked, index, settled of the connection, held of its session. ARGV: prefix, separator, number of this
 * call, beginning of the tags of its session, tags.
 * Returns `'closed'` where somebody has decided that this call never happens, else a text with a letter for each tag: `d`
 * for done, `s` for stale.
 */
export const ackScript: RedisScript = redisScript(`
${tags}${portions}${noting}
if redis.call('HEXISTS', KEYS[3], 'closed') == 1 then return 'closed' end
local results, ended, held = {}, {}, {}
local own = ARGV[4]
for at = 5, #ARGV do
  local tag = ARGV[at]
  if redis.call('HDEL', KEYS[1], tag) == 1 then
    results[#results + 1] = 'd'
    ended[#ended + 1] = tag
    local key = string.sub(tag, 1, #own) == own and KEYS[4] or heldBy(tag)
    if not held[key] then held[key] = {} end
    table.insert(held[key], tag)
  else
    results[#results + 1] = 's'
    redis.call('SREM', heldBy(tag), tag)
  end
end
inPortions('ZREM', KEYS[2], ended, 1)
for key, members in pairs(held) do inPortions('SREM', key, members, 1) end
local text = table.concat(results)
note(KEYS[3], ARGV[3], 'settle', ARGV[3], 'results', text)
return text
`)

/**
 * Settles deliveries item by item, each whole or not at all: what it writes and publishes, then the delivery itself.
 *
 * KEYS: unacked, index, eta, delayed, settled of the connection, queues.
 * ARGV: prefix, separator, number of this call, visibility timeout, then for each item:
 *   tag, or '' where there is nothing to settle;
 *   action: `a`; `r` and another payload or ''; `p`, milliseconds, tag of the parked message and another payload or '';
 *     `d` and the reason as JSON;
 *   number of writes, for each: which function (from 1), number of keys, keys, number of arguments, arguments;
 *   number of messages, for each: list, queue, payload.
 * Returns `'closed'`, or a text with a letter for each item, `d`, `s`, or `e` where it failed and nothing of it counts;
 * then for each that failed what went wrong.
 */
function settleLua(writes: readonly string[]): string {
  return `
${tags}${clock}${portions}${wrapping}${returning}${noting}
local unacked, index, eta, delayed, sent, queuesKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
${pushing(deadLetterLimits.maxMessages)}
local writes = {
${writes.map((lua) => `function(KEYS, ARGV)\n${lua}\nend`).join(',\n')}
}
if redis.call('HEXISTS', sent, 'closed') == 1 then return 'closed' end

local at = 4
local function read()
  at = at + 1
  return ARGV[at]
end
local function readMany()
  local list = {}
  for position = 1, tonumber(read()) do list[position] = read() end
  return list
end

local function release(tag)
  redis.call('HDEL', unacked, tag)
  redis.call('ZREM', index, tag)
  redis.call('SREM', heldBy(tag), tag)
end

local results, problems = {}, {}

-- Those that go back do so together, so that the oldest ends up foremost.
local returned, isReturned = {}, {}
local function giveBack(tag, payload)
  local count = tonumber(string.match(tag, '^[^.]*%.(%d+)%.'))
  returned[#returned + 1] = { count = count, tag = tag, payload = payload, result = #results + 1 }
  isReturned[tag] = true
end

local function settle(tag, action, first, parkedTag, replacement)
  if action == 'a' then return release(tag) end
  local value = redis.call('HGET', unacked, tag)
  local payload = unwrap(value, queueOf(tag))
  -- Let go only of what has arrived where it goes.
  if action == 'd' then
    local queue = queueOf(tag)
    if string.sub(queue, -5) ~= '.dead' then queue = queue .. '.dead' else payload = string.match(payload, '^{"at":%d+,"reason":.-,"payload":(.*)}$') or payload end
    bury(P .. queue, payload, first)
    release(tag)
  elseif action == 'r' or tonumber(first) <= 0 then
    giveBack(tag, replacement ~= '' and replacement or payload)
  else
    local dueAt = now + tonumber(first)
    if replacement ~= '' then value = wrap(replacement, queueOf(tag)) end
    redis.call('ZADD', eta, dueAt, parkedTag)
    redis.call('HSET', unacked, parkedTag, value)
    redis.call('ZADD', index, math.ceil((dueAt - tonumber(ARGV[4])) / 1000), parkedTag)
    redis.call('HINCRBY', delayed, queueOf(tag), 1)
    release(tag)
  end
end

local function fail(at, problem)
  results[at] = 'e'
  problems[at] = type(problem) == 'table' and problem.err or tostring(problem)
end

while at < #ARGV do
  local tag, action = read(), read()
  local first, parkedTag, replacement = '', '', ''
  if action == 'r' then replacement = read() end
  if action == 'd' then first = read() end
  if action == 'p' then first, parkedTag, replacement = read(), read(), read() end
  local isOurs = tag == '' or (not isReturned[tag] and redis.call('HEXISTS', unacked, tag) == 1)
  local done, problem = true, nil
  -- What ends a delivery frees memory, so that on a full server its result and what follows are let in; see putBack.
  if isOurs and tag ~= '' then redis.call('ZREM', index, '') end
  for _ = 1, tonumber(read()) do
    local write, keys, arguments = writes[tonumber(read())], readMany(), readMany()
    if isOurs and done then
      done, problem = pcall(write, keys, arguments)
      if type(problem) == 'table' and problem.err then done = false end
    end
  end
  for _ = 1, tonumber(read()) do
    local list, queue, payload = read(), read(), read()
    if isOurs and done then done, problem = pcall(push, list, queue, { payload }) end
  end
  if isOurs and done and tag ~= '' then done, problem = pcall(settle, tag, action, first, parkedTag, replacement) end
  if not isOurs then
    if not isReturned[tag] then redis.call('SREM', heldBy(tag), tag) end
    results[#results + 1] = 's'
  elseif not done then
    fail(#results + 1, problem)
  else
    results[#results + 1] = 'd'
  end
end
table.sort(returned, function(a, b) return a.count > b.count end)
for _, item in ipairs(returned) do
  local moved, problem = putBack(unacked, index, item.tag, item.payload)
  if not moved then fail(item.result, problem) end
end
local text = table.concat(results)
note(sent, ARGV[3], 'settle', ARGV[3], 'results', text)
local reply = { text }
for at = 1, #results do reply[#reply + 1] = problems[at] end
return reply
`
}

const plain = redisScript(settleLua([]))
const scripts = new Map<string, RedisScript>()

/** The script for writes of these kinds; there are few kinds, as their makers keep the text constant. */
export function settleScript(writes: readonly string[]): RedisScript {
  if (writes.length === 0) return plain
  const name = writes.join('\0')
  let script = scripts.get(name)
  if (script === undefined) {
    script = redisScript(settleLua(writes))
    scripts.set(name, script)
  }
  return script
}
