import { MEMORY, MemoryBudget, type MemoryOptions, maxMemoryOf } from '../memory-budget.ts'
import { JSON_TYPE } from './json-options.ts'

/** No text becomes more than about so many times what it is, beyond the eight times that every body may. */
const MOST_BEYOND = 20

const QUOTE = 0x22
const BACKSLASH = 0x5c
const UNDERSCORE = 0x5f

/** What each character outside a text asks for. */
const WEIGHTS: Readonly<Uint8Array> = weights([
  [',', MEMORY.slot],
  // The name before it is counted as a text.
  [':', MEMORY.property - MEMORY.leaf],
  ['[', MEMORY.array],
  ['{', MEMORY.object],
])

const TYPED = '"__type__"'

/**
 * Refuses a text whose values would take more memory than they may. A glance for all but very long texts, so that the
 * others cost nothing; those are counted before anything is built, for `JSON.parse` does not stop half-way.
 * @throws DecodeError
 */
export function weighJson(text: string, options: MemoryOptions | undefined): void {
  const beyond = maxMemoryOf(options)
  if (text.length * MOST_BEYOND <= beyond) return
  // Without lists and objects, texts and numbers take about what every body may, or less.
  if (hasFewerBrackets(text, beyond / MEMORY.object)) return
  new MemoryBudget(JSON_TYPE, text.length, options).take(weigh(text))
}

function hasFewerBrackets(text: string, most: number): boolean {
  let count = 0
  for (const bracket of '[{') {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if (++count > most) return false
  }
  return true
}

function weigh(text: string): number {
  let bytes = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) {
      bytes += MEMORY.leaf
      if (text.charCodeAt(at + 1) === UNDERSCORE && text.startsWith(TYPED, at)) bytes += MEMORY.typed
      at = endOfString(text, at)
    } else if (char < WEIGHTS.length) bytes += WEIGHTS[char] as number
  }
  return bytes
}

/** Index of the quote that ends the text opened at `start`, or beyond everything. Quick where the text is long. */
function endOfString(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const end = text.indexOf('"', from)
    if (end === -1) return text.length
    if (text.charCodeAt(end - 1) !== BACKSLASH) return end
    let first = end - 1
    while (first > start && text.charCodeAt(first - 1) === BACKSLASH) first--
    if ((end - first) % 2 === 0) return end
    from = end + 1
  }
}

function weights(of: readonly (readonly [char: string, bytes: number])[]): Uint8Array {
  const table = new Uint8Array(128)
  for (const [char, bytes] of of) table[char.charCodeAt(0)] = bytes
  return table
}
