/**
 * `wrap(payload, queue)`: what stands in \`unacked\`: \`[envelope, exchange, routing key]\`, as Python writes it, with the
 * envelope as it is. `unwrap(value, queue)`: the envelope, byte for byte, whatever it is.
 */
export const wrapping = `
local endings = {}
local function ending(queue)
  local text = endings[queue]
  if not text then
    text = ', "", ' .. cjson.encode(queue) .. ']'
    endings[queue] = text
  end
  return text
end
local function wrap(payload, queue)
  return '[' .. payload .. ending(queue)
end
local function unwrap(value, queue)
  return string.sub(value, 2, -(#ending(queue) + 1))
end
`
