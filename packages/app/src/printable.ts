/**
 * Text from outside on one line of a terminal: no control character, direction mark or line separator of it gets there as it
 * is, and no more than `maxLength` characters.
 */
export function printable(text: string, maxLength: number = 200): string {
  const line = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return line.replace(hidden, escaped)
}

/** Text from outside on as many lines as it has, as a traceback: but for line feeds and tabs, all as in {@link printable}. */
export function printableLines(text: string): string {
  return text.replace(hidden, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  )
}

// Control and format characters, lone surrogates, line and paragraph separators.
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escaped(character: string): string {
  const code = character.codePointAt(0) as number
  return (
    short[character] ??
    (code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 5)}}`)
  )
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
