import { burying } from './dead-letters.ts'
import { messageTtl } from './message-ttl.ts'

/**
 * `push(key, queue, payload)`: at the back of a list. Dead letters are wrapped with their time, and only the newest are kept.
 * Brings `ttlOf` and `bury`. Needs `queuesKey`, `readClock` and `inPortions`.
 */
export const pushing = (maxDead: number): string => `
${messageTtl}${burying(maxDead)}local function push(key, queue, payloads)
  -- What can fail comes before the first write.
  local ttl = ttlOf(queue)
  if string.sub(queue, -5) == '.dead' then
    for _, payload in ipairs(payloads) do bury(key, payload, 'null') end
  else
    inPortions('LPUSH', key, payloads, 1)
  end
  if ttl then redis.call('PEXPIRE', key, ttl) end
end
`
