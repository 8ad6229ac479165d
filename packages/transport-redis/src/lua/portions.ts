/** `inPortions(command, key, arguments, width)`: a command of many arguments, as several that Lua can still pass on. */
export const portions = `
local function inPortions(command, key, list, width)
  local size = 1000 * width
  for first = 1, #list, size do
    redis.call(command, key, unpack(list, first, math.min(first + size - 1, #list)))
  end
end
`
