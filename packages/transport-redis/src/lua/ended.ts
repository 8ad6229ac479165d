/**
 * Deliveries that have ended leave the index and the sets of their owners together: many calls cost more than long ones.
 * `noteEnded(tag, held)`, and at the end `dropEnded(index)`. Brings `ended`, the tags. Needs `inPortions`.
 */
export const ended = `
local ended, endedBy = {}, {}
local function noteEnded(tag, held)
  ended[#ended + 1] = tag
  if not endedBy[held] then endedBy[held] = {} end
  table.insert(endedBy[held], tag)
end
-- What is of another type by now must not keep the others from their results: these deliveries have ended.
local function dropEnded(index)
  pcall(inPortions, 'ZREM', index, ended, 1)
  for held, members in pairs(endedBy) do pcall(inPortions, 'SREM', held, members, 1) end
end
`
