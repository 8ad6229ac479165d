import { printableLines } from './printable.ts'

/** Characters of a message that a log has room for. */
const longest = 10_000

/**
 * Text for a log. Task names, arguments and errors come from outside: no carriage return, escape sequence, direction mark or
 * endless line of theirs may forge a log line. Line feeds stay, indented, because tracebacks need them.
 */
export function logText(message: string): string {
  const capped = message.length > longest ? `${message.slice(0, longest)}…` : message
  return printableLines(capped).replaceAll('\n', '\n  ')
}
