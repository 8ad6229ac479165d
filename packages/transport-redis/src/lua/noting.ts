/** `note(key, ...)`: fields of what a connection has carried out last, which its successor may ask for within an hour. */
export const noting = `
local function note(key, ...)
  redis.call('HSET', key, ...)
  redis.call('PEXPIRE', key, 3600000)
end
`
