/** `readClock()`: milliseconds of the server's clock. */
export const lazyClock = `
local function readClock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`

/** `now`: the same, read at the beginning. */
export const clock: string = `${lazyClock}local now = readClock()
`
