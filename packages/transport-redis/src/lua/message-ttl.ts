/** `ttlOf(queue)`: how long messages of a queue live, in milliseconds, as text; nothing where they stay. Needs `queuesKey`. */
export const messageTtl = `
local declared = {}
local anyDeclared = redis.call('EXISTS', queuesKey) == 1
local function ttlOf(queue)
  if not anyDeclared then return nil end
  if declared[queue] == nil then
    local text = redis.call('HGET', queuesKey, queue)
    local isRead, traits = pcall(cjson.decode, text or '')
    -- Anybody can write there: what is no time in milliseconds must not take messages away.
    local ttl = isRead and type(traits) == 'table' and tonumber(traits.messageTtlMs) or 0
    declared[queue] = ttl >= 1 and ttl <= 1e13 and string.format('%.0f', ttl)
  end
  return declared[queue] or nil
end
`
