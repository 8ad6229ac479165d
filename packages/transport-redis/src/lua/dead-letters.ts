/**
 * `bury(key, payload, reason)`: a message becomes a dead letter, wrapped with its time; only the newest are kept. Needs
 * `readClock`.
 */
export const burying = (maxDead: number): string => `
local function dead(payload, reason)
  return '{"at":' .. string.format('%.0f', readClock()) .. ',"reason":' .. reason .. ',"payload":' .. payload .. '}'
end
local function bury(key, payload, reason)
  redis.call('LPUSH', key, dead(payload, reason))
  redis.call('LTRIM', key, 0, ${maxDead - 1})
end
`

/** `dropAged(key)`: removes dead letters that are too old from the end where the oldest are. Needs `now`. */
export const aging = (maxAgeMs: number): string => `
local function dropAged(key)
  for _ = 1, 1000 do
    local oldest = redis.pcall('LINDEX', key, -1)
    local at = type(oldest) == 'string' and string.match(oldest, '^{"at":(%d+),')
    if not at or tonumber(at) > now - ${maxAgeMs} then return end
    redis.call('RPOP', key)
  end
end
`
