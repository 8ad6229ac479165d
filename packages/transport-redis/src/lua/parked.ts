/**
 * `countDelayed(delayed, queue, by)`: keeps count of what is parked of a queue. A count that is none, since anybody can write
 * there, begins anew; a key of another type is an error.
 */
export const counting = `
local function countDelayed(delayed, queue, by)
  local count = redis.pcall('HINCRBY', delayed, queue, by)
  if type(count) == 'table' then
    count = by
    redis.call('HSET', delayed, queue, by)
  end
  if count <= 0 then redis.call('HDEL', delayed, queue) end
end
`

/**
 * `moveDue(unacked, index, eta, delayed)`: parked messages that are due go to the front of their lists, the one due first
 * foremost. Where that is a key of another type they stay parked for another minute. Needs `now`, `tags`, `wrapping` and
 * `returning`.
 */
export const due: string = `
${counting}
local function moveDue(unacked, index, eta, delayed)
  local due = redis.call('ZRANGEBYSCORE', eta, '-inf', now, 'LIMIT', 0, 100)
  for at = #due, 1, -1 do
    local tag = due[at]
    local queue = queueOf(tag)
    redis.call('ZREM', eta, tag)
    if queue then
      -- Python may have put it back before.
      local value = redis.call('HGET', unacked, tag)
      if not value or putBack(unacked, index, tag, unwrap(value, queue)) then
        countDelayed(delayed, queue, -1)
      else
        redis.call('ZADD', eta, now + 60000, tag)
      end
    end
  end
  if #due > 0 and redis.call('EXISTS', eta) == 0 then redis.call('DEL', delayed) end
end
`
