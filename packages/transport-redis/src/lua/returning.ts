/**
 * `putBack(unacked, index, tag, payload)`: moves a delivery to the front of the list that it came from. Where that is a key of
 * another type it stays held; returns whether it was moved, and what was wrong. Needs `tags`.
 */
export const returning = `
local function putBack(unacked, index, tag, payload)
  local held = heldBy(tag)
  -- Once it has begun to write, which this does and needs no memory, a full server lets a script write more.
  redis.call('SREM', held, '')
  local pushed = redis.pcall('RPUSH', listOf(tag), payload)
  if type(pushed) == 'table' then return false, pushed.err end
  redis.call('HDEL', unacked, tag)
  redis.call('ZREM', index, tag)
  redis.call('SREM', held, tag)
  return true
end
`
