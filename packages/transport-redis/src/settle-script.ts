import { type RedisScript, redisScript } from '@celery/redis'
import { deadLetterLimits } from '@celery/transport'
import { clock } from './lua/clock.ts'
import { ended } from './lua/ended.ts'
import { wrapping } from './lua/entries.ts'
import { noting } from './lua/noting.ts'
import { counting } from './lua/parked.ts'
import { portions } from './lua/portions.ts'
import { pushing } from './lua/pushing.ts'
import { returning } from './lua/returning.ts'
import { tags } from './lua/tags.ts'

/**
 * Ends deliveries that need nothing more. Once it has begun with that nothing refuses the call.
 *
 * KEYS: unacked, index, settled of the connection, held of its session. ARGV: prefix, separator, number of this
 * call, beginning of the tags of its session, tags.
 * Returns `'closed'` where somebody has decided that this call never happens, else a text with a letter for each tag: `d`
 * for done, `s` for stale.
 */
export const ackScript: RedisScript = redisScript(`
${tags}${portions}${noting}${ended}
if redis.call('HEXISTS', KEYS[3], 'closed') == 1 then return 'closed' end
local results = {}
local own = ARGV[4]
for at = 5, #ARGV do
  local tag = ARGV[at]
  if redis.call('HDEL', KEYS[1], tag) == 1 then
    results[#results + 1] = 'd'
    noteEnded(tag, string.sub(tag, 1, #own) == own and KEYS[4] or heldBy(tag))
  else
    results[#results + 1] = 's'
    redis.pcall('SREM', heldBy(tag), tag)
  end
end
dropEnded(KEYS[2])
local text = table.concat(results)
note(KEYS[3], 'settle', ARGV[3], 'results', text)
return text
`)

/**
 * Settles deliveries item by item: what it writes and publishes, then the delivery itself. Each whole or not at all, as long
 * as its writes fail, if they do, before they have changed anything: what else can fail is looked at first.
 *
 * KEYS: unacked, index, eta, delayed, settled of the connection, queues.
 * ARGV: prefix, separator, number of this call, visibility timeout, then items, those that follow each other and are of one
 * form together: the form, how many there are, and of each
 *   tag, or '' where there is nothing to settle;
 *   for the action `r` another payload or ''; for `p` milliseconds, tag of the parked message and another payload or '';
 *     for `d` the reason as JSON; for `a` nothing;
 *   the keys and the arguments of each write;
 *   list, queue and payload of each message.
 * The form is `<action> <number of messages>`, and then for each write which function (from 1), how many keys, how many
 * arguments.
 * Returns `'closed'`, or a text with a letter for each item, `d`, `s`, or `e` where it failed and nothing of it counts;
 * then for each that failed what went wrong.
 */
function settleLua(writes: readonly string[]): string {
  return `
${tags}${clock}${portions}${wrapping}${returning}${noting}${counting}${ended}
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
local function readMany(number)
  local list = {}
  for position = 1, number do list[position] = read() end
  return list
end
local function readForm()
  local parts = {}
  for part in string.gmatch(read(), '%S+') do parts[#parts + 1] = tonumber(part) or part end
  return parts
end

local types = {}
local function mustBe(kind, key)
  local is = types[key]
  if not is then
    is = redis.call('TYPE', key).ok
    if is == 'none' then return end
    types[key] = is
  end
  if is ~= kind then error({ err = 'WRONGTYPE Operation against a key holding the wrong kind of value' }) end
end
local function deadQueue(tag)
  local queue = queueOf(tag)
  return string.sub(queue, -5) == '.dead' and queue or queue .. '.dead'
end

-- Whatever is not as it has to be shows here, before anything is written.
local function check(messages, tag, action, first)
  for _, message in ipairs(messages) do
    mustBe('list', message.list)
    ttlOf(message.queue)
  end
  if tag == '' then return end
  mustBe('set', heldBy(tag))
  if action == 'd' then
    mustBe('list', P .. deadQueue(tag))
  elseif action == 'r' or action == 'p' and tonumber(first) <= 0 then
    mustBe('list', listOf(tag))
  elseif action == 'p' then
    mustBe('hash', delayed)
    mustBe('zset', eta)
  end
end

local function release(tag)
  redis.call('HDEL', unacked, tag)
  redis.call('ZREM', index, tag)
  redis.call('SREM', heldBy(tag), tag)
end

local results, problems = {}, {}

-- Of this call, though they are still there: they end, or go back, after all items.
local isSettled = {}

-- Those that go back do so together, so that the oldest ends up foremost.
local returned = {}
local function giveBack(tag, payload)
  local count = tonumber(string.match(tag, '^[^.]*%.(%d+)%.'))
  returned[#returned + 1] = { count = count, tag = tag, payload = payload, result = #results + 1 }
  isSettled[tag] = true
end

local function settle(tag, action, first, parkedTag, replacement)
  if action == 'a' then
    noteEnded(tag, heldBy(tag))
    isSettled[tag] = true
    return
  end
  local value = redis.call('HGET', unacked, tag)
  local payload = unwrap(value, queueOf(tag))
  -- Let go only of what has arrived where it goes.
  if action == 'd' then
    local queue = deadQueue(tag)
    if queue == queueOf(tag) then payload = string.match(payload, '^{"at":%d+,"reason":.-,"payload":(.*)}$') or payload end
    bury(P .. queue, payload, first)
    release(tag)
  elseif action == 'r' or tonumber(first) <= 0 then
    giveBack(tag, replacement ~= '' and replacement or payload)
  else
    local dueAt = now + tonumber(first)
    if replacement ~= '' then value = wrap(replacement, queueOf(tag)) end
    -- What may be of another type comes first: what is held and parked would come twice.
    countDelayed(delayed, queueOf(tag), 1)
    redis.call('ZADD', eta, dueAt, parkedTag)
    redis.call('HSET', unacked, parkedTag, value)
    redis.call('ZADD', index, math.ceil((dueAt - tonumber(ARGV[4])) / 1000), parkedTag)
    release(tag)
  end
end

local function apply(calls, messages, tag, ...)
  for _, call in ipairs(calls) do
    local reply = writes[call.kind](call.keys, call.arguments)
    if type(reply) == 'table' and reply.err then error(reply) end
  end
  for _, message in ipairs(messages) do push(message.list, message.queue, { message.payload }) end
  if tag ~= '' then settle(tag, ...) end
end

local function fail(at, problem)
  results[at] = 'e'
  problems[at] = type(problem) == 'table' and problem.err or tostring(problem)
end

-- As these stand for all items, they show before the first of them.
redis.call('HLEN', unacked)
redis.call('ZCARD', index)
local isLetIn = false
local function settleNext(form)
  local action, tag = form[1], read()
  local first, parkedTag, replacement = '', '', ''
  if action == 'r' then replacement = read() end
  if action == 'd' then first = read() end
  if action == 'p' then first, parkedTag, replacement = read(), read(), read() end
  local calls, messages = {}, {}
  for part = 3, #form, 3 do
    calls[#calls + 1] = { kind = form[part], keys = readMany(form[part + 1]), arguments = readMany(form[part + 2]) }
  end
  for position = 1, form[2] do
    messages[position] = { list = read(), queue = read(), payload = read() }
  end
  if tag ~= '' and (isSettled[tag] or redis.call('HEXISTS', unacked, tag) == 0) then
    -- What is wrong there must not keep the others from their results.
    if not isSettled[tag] then redis.pcall('SREM', heldBy(tag), tag) end
    results[#results + 1] = 's'
    return
  end
  local done, problem = pcall(check, messages, tag, action, first)
  -- What ends a delivery frees memory, so that on a full server its result and what follows are let in; see putBack.
  if tag ~= '' and not isLetIn then
    redis.call('ZREM', index, '')
    isLetIn = true
  end
  if done then done, problem = pcall(apply, calls, messages, tag, action, first, parkedTag, replacement) end
  if done then results[#results + 1] = 'd' else fail(#results + 1, problem) end
end
while at < #ARGV do
  local form, number = readForm(), tonumber(read())
  for _ = 1, number do settleNext(form) end
end
inPortions('HDEL', unacked, ended, 1)
dropEnded(index)
table.sort(returned, function(a, b) return a.count > b.count end)
for _, item in ipairs(returned) do
  local moved, problem = putBack(unacked, index, item.tag, item.payload)
  if not moved then fail(item.result, problem) end
end
local text = table.concat(results)
note(sent, 'settle', ARGV[3], 'results', text)
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
