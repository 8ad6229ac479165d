import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { consoleLogger, type LogLevel } from './logger.ts'

function recording(level?: LogLevel, colour = false) {
  const lines: string[] = []
  const write = (line: string): number => lines.push(line)
  return { lines, logger: consoleLogger({ ...(level === undefined ? {} : { level }), colour, write }) }
}

describe('a logger', () => {
  test('writes lines as Celery does, from its level on, by default warnings', () => {
    const { lines, logger } = recording()
    logger.info('not this')
    logger.warning('this')
    expect(lines).toEqual([
      expect.stringMatching(/^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: WARNING\/MainProcess\] this\n$/),
    ])
    expect(logger.isEnabled('info')).toBe(false)
    expect(logger.isEnabled('error')).toBe(true)
    expect(recording('debug').logger.isEnabled('debug')).toBe(true)
  })

  test('H-32 shows control characters instead of sending them, and indents lines that follow', () => {
    const { lines, logger } = recording()
    logger.error('a\r\n[2030: ERROR] forged \u001b[2J\u0000\u007f\u009b tab\there')
    expect(lines[0]).toContain('a\\r\n  [2030: ERROR] forged \\x1b[2J\\x00\\x7f\\x9b tab\there\n')
  })

  test('H-32 no direction mark of a message turns what a line says', () => {
    const { lines, logger } = recording()
    for (const mark of ['\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069']) {
      logger.error(`Task add[${mark}1] succeeded`)
      expect(lines.pop()).toContain(`Task add[\\u${mark.charCodeAt(0).toString(16)}1] succeeded\n`)
    }
  })

  test('H-32 caps a message of a megabyte', () => {
    const { lines, logger } = recording()
    logger.error('x'.repeat(1_000_000))
    expect(lines[0]?.length).toBeLessThan(11_000)
  })

  test('H-32 whatever the message: one line that begins with a stamp, others indented, nothing a terminal obeys', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (message) => {
        const { lines, logger } = recording()
        logger.error(message)
        const [first, ...others] = (lines[0] ?? '').split('\n').slice(0, -1)
        expect(first).toMatch(/^\[[^\]]+: ERROR\/MainProcess\] /)
        for (const line of others) expect(line).toMatch(/^ {2}/)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
        expect(lines[0]).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/)
      }),
    )
  })

  test('colours by level where asked to', () => {
    const { lines, logger } = recording('info', true)
    logger.info('plain')
    logger.error('red')
    expect(lines[0]).not.toContain('\u001b[')
    expect(lines[1]).toContain('\u001b[31m')
  })
})
