/**
 * Text from outside, in double quotes on one line, for a message that people read: what could break a line, move a cursor
 * or turn the direction of writing stands there as an escape, and what is longer than `maxLength` ends in `…`.
 */
export function quote(text: string, maxLength: number = 100): string {
  const quoted = JSON.stringify(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text)
  return quoted.replace(hidden, escaped)
}

/** What JSON leaves as it is: DEL, C1 controls, format characters, line and paragraph separators. */
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

function escaped(character: string): string {
  const code = (character.codePointAt(0) as number).toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
}
