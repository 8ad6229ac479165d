/**
 * As every file of this folder, a piece of Lua that several scripts share. Each script begins with
 * `P, SEP = ARGV[1], ARGV[2]`: what stands before every key, and between the parts of one.
 */

/** `P`, `SEP` */
export const prefix = `local P, SEP = ARGV[1], ARGV[2]
`

/** `listOf(tag)`, `queueOf(tag)`, `heldBy(tag)`: the list and queue a delivery came from, and the set of its owner. */
export const tags: string = `
${prefix}local function queueOf(tag)
  return string.match(tag, '^[^.]*%.%d+%.%d+@(.*)$')
end
local function listOf(tag)
  local step, queue = string.match(tag, '^[^.]*%.%d+%.(%d+)@(.*)$')
  if step == '0' then return P .. queue end
  return P .. queue .. SEP .. step
end
local function heldBy(tag)
  return P .. '_celery.held.' .. (string.match(tag, '^([^.]*)%.') or '')
end
`
