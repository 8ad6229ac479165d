/**
 * `keepOwn(owners, session, lease)`: renews a lease that has ended, of an owner that is there to ask and that nobody has
 * taken over. Returns when it ends, or nothing where that is no owner. Needs `now`.
 *
 * `expiredOwners(owners, renewed, lease, grace)`: sessions whose lease has ended. Whoever asks has shown that the server can be
 * reached, and notes that. Where nobody has for more than three eighths of a lease, because the server was down or everybody
 * stood still, all leases that have ended, or soon will, get a little more time: their owners may well live. Each gets that once
 * until it is renewed, which shows by half a millisecond at its end. Where the clock was put back, leases end as much sooner.
 */
export const expiry = `
local function keepOwn(owners, session, lease)
  local score = redis.call('ZSCORE', owners, session)
  local ends = score and tonumber(score) or nil
  if not ends or ends > now then return ends end
  redis.call('ZREM', owners, '') -- See putBack.
  redis.call('ZADD', owners, now + lease, session)
  return now + lease
end
local function noteLook(owners, renewed, lease, grace)
  -- Whatever else somebody has written there is replaced.
  local text = redis.pcall('GET', renewed)
  local last = type(text) == 'string' and tonumber(text) or 0
  if not (last > 0 and last < 1e15) then last = 0 end
  local isBack, age = last > now + 1000, now - last
  -- Waiting fetches look each second, or four times in a lease: with what is not noted, a fetch alone stays below the gap.
  if not isBack and age < math.min(1000, lease / 16) then return end
  redis.call('ZREM', owners, '')
  if isBack then
    for _, session in ipairs(redis.call('ZRANGE', owners, 0, -1)) do redis.call('ZINCRBY', owners, now - last, session) end
  elseif grace > 0 and age > lease * 3 / 8 then
    local ending = redis.call('ZRANGEBYSCORE', owners, '-inf', now + grace, 'WITHSCORES')
    for at = 1, #ending, 2 do
      if tonumber(ending[at + 1]) % 1 == 0 then redis.call('ZADD', owners, now + grace + 0.5, ending[at]) end
    end
  end
  redis.call('SET', renewed, now)
end
local function expiredOwners(owners, renewed, lease, grace)
  noteLook(owners, renewed, lease, grace)
  return redis.call('ZRANGEBYSCORE', owners, '-inf', now, 'LIMIT', 0, 100)
end
`
