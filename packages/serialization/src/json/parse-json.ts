import { depthLimit, type JsonOptions } from './json-options.ts'
import { parseCarefully } from './parse-carefully.ts'
import { reviveAll } from './revive.ts'
import { weighJson } from './weigh-json.ts'

/**
 * Reads JSON as Python writes it: integers beyond 2^53 become `bigint`, and `NaN`, `Infinity` and `-Infinity` are
 * numbers. A `__proto__` key is data like any other. Of equal keys the last one counts.
 *
 * `JSON.parse` does the work wherever a few glances at the text prove that it gives the same; where it fails, the
 * careful parser finds out whether that was Python's dialect or an error.
 *
 * @throws DecodeError
 */
export function parseJson(text: string, options?: JsonOptions): unknown {
  const maxDepth = depthLimit(options)
  const types = options?.types
  weighJson(text, options)
  if (!mayNestOnly(text, maxDepth) || mayHoldBigInteger(text)) return parseCarefully(text, maxDepth, types)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return parseCarefully(text, maxDepth, types)
  }
  // Most messages hold no typed value, and need no walk.
  return types === undefined || !text.includes('__type__"') ? value : reviveAll(value, types)
}

/** Whether no value in `text` is deeper than `max`. There is no nesting without as many opening brackets. */
function mayNestOnly(text: string, max: number): boolean {
  // Valid text of this length has not enough characters to open and close so many.
  if (text.length < 2 * (max + 1)) return true
  let openings = 0
  for (let at = text.indexOf('['); at !== -1; at = text.indexOf('[', at + 1)) {
    if (++openings > max) return deepest(text, max) <= max
  }
  for (let at = text.indexOf('{'); at !== -1; at = text.indexOf('{', at + 1)) {
    if (++openings > max) return deepest(text, max) <= max
  }
  return true
}

/** Greatest depth of brackets outside strings, counted no further than just beyond `max`. */
function deepest(text: string, max: number): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22 /* " */) {
      at = endOfString(text, at)
    } else if (char === 0x5b /* [ */ || char === 0x7b /* { */) {
      depth++
      if (depth > deepest) {
        deepest = depth
        if (deepest > max) break
      }
    } else if (char === 0x5d /* ] */ || char === 0x7d /* } */) {
      depth--
    }
  }
  return deepest
}

/** Index of the quote that ends the string opened at `start`, or the text's length. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  for (; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22 /* " */) return at
    if (char === 0x5c /* \ */) at++
  }
  return at
}

/**
 * Whether there may be an integer that a `number` cannot hold: 16 digits in a row. Such a run covers one index out of
 * every 16, so one look in 16 finds it. The digits of a fraction do not count (Python writes up to 17 of them).
 */
function mayHoldBigInteger(text: string): boolean {
  for (let at = 15; at < text.length; at += 16) {
    if (!isDigit(text.charCodeAt(at))) continue
    let start = at
    while (start > 0 && isDigit(text.charCodeAt(start - 1))) start--
    let end = at + 1
    while (end < text.length && isDigit(text.charCodeAt(end))) end++
    if (end - start >= 16 && text.charCodeAt(start - 1) !== 0x2e /* . */) return true
    // The next look must be at an index that any later run of 16 still covers.
    at += Math.floor((end - at) / 16) * 16
  }
  return false
}

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39
}
