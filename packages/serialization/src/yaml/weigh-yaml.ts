import { MemoryBudget, type MemoryOptions, maxMemoryOf } from '../memory-budget.ts'

/**
 * What the parser takes for what each character may begin, in bytes: it keeps an event for each value and each end, and a
 * `Map` for each mapping, until the document is read.
 */
const ITEM = 220
const CONTAINER = 420
const LINE = 100
/** Text with an escape is put together from its characters, each a node of a tree. */
const ESCAPE = 40

/** No document takes more for each of its characters, beyond what every body may. */
const MOST_BEYOND = CONTAINER

/**
 * Refuses a document that would take more memory than it may, before the parser begins: it has no limit of its own. Counts
 * too much where there are such characters in a text; documents of less than 150 KiB are not looked at.
 * @throws DecodeError
 */
export function weighYaml(text: string, options: MemoryOptions | undefined): void {
  if (text.length * MOST_BEYOND <= maxMemoryOf(options)) return
  const budget = new MemoryBudget('application/x-yaml', text.length, options)
  // Commas separate values only where there is a bracket.
  const comma = text.includes('[') || text.includes('{') ? ITEM : 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x5b /* [ */:
      case 0x7b /* { */:
        budget.take(CONTAINER)
        break
      case 0x2c /* , */:
        budget.take(comma)
        break
      case 0x0a /* line feed */:
      case 0x0d /* carriage return */:
        budget.take(LINE)
        break
      case 0x2d /* - */:
      case 0x3f /* ? */:
        // Otherwise a part of a text.
        if (isBlank(text.charCodeAt(at + 1))) budget.take(CONTAINER)
        break
      case 0x3a /* : */:
        budget.take(ITEM)
        break
      case 0x27 /* ' */:
      case 0x5c /* \ */:
        budget.take(ESCAPE)
    }
  }
}

/** A space, a tab, the end of a line or of the text. */
function isBlank(code: number): boolean {
  return !(code > 0x20)
}
