const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ...([...'\\\'"'] as string[]).map((char): [string, string] => [char, char]),
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
])

/** A string of Python 2 as protocol 0 writes it, with quotes and escapes; ASCII only, as in Python 3. @throws SyntaxError */
export function parsePythonString(line: string): string {
  const quote = line[0]
  if (line.length < 2 || (quote !== "'" && quote !== '"') || line.at(-1) !== quote) throw new SyntaxError('bad string')
  const text = line.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.|$)/g, (_, code: string) => {
    const simple = SIMPLE_ESCAPES.get(code)
    if (simple !== undefined) return simple
    if (code.length === 3 && code.startsWith('x')) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    if (/^[0-7]+$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
    throw new SyntaxError('bad escape in a string')
  })
  if (/[^\0-\x7f]/.test(text)) throw new SyntaxError('text of Python 2 that is not ASCII')
  return text
}

/** Latin-1 with `\uXXXX` and `\UXXXXXXXX` for the rest, and for backslash and line feed. @throws SyntaxError */
export function parseRawUnicode(line: string): string {
  return line.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_, short?: string, long?: string) => {
    const point = Number.parseInt(short ?? long ?? '', 16)
    if (point > 0x10_ffff) throw new SyntaxError('bad escape in a string')
    return String.fromCodePoint(point)
  })
}
