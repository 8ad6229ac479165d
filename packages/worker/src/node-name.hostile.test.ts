import { dirname, resolve } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expandPath, nodeName } from './node-name.ts'

const invalid = expect.objectContaining({ code: 'ERR_CELERY_INVALID_NODE_NAME' })

test.each([
  '../../x',
  'a/b',
  'a\\b',
  '..',
  '.',
  '..@box',
  'w1@..',
  'w1@../../etc',
  'a\0b',
  'a\nb',
  `${'x'.repeat(300)}`,
])('H-30 a worker cannot be called %j', (pattern) => {
  expect(() => nodeName(pattern, 'box')).toThrow(invalid)
})

test('H-30 neither can the host be called so', () => {
  expect(() => nodeName('w1@%h', '../x')).toThrow(invalid)
})

test('H-30 any name is refused, or names a file of its own in the folder it is meant for', () => {
  const part = fc.string({
    unit: fc.constantFrom('a', 'b', '.', '..', '/', '\\', '\0', '%', 'h', '@', '-', 'é', '\u202e'),
    maxLength: 6,
  })
  const names = fc.tuple(part, fc.boolean(), part).map(([name, isFull, host]) => (isFull ? `${name}@${host}` : name))
  fc.assert(
    fc.property(fc.uniqueArray(names, { minLength: 2, maxLength: 8 }), (patterns) => {
      const nodes = new Set(patterns.flatMap((pattern) => accepted(pattern)))
      const files = [...nodes].map((node) => expandPath('/var/run/celery/%p.pid', node))
      expect(new Set(files.map((file) => resolve(file))).size).toBe(nodes.size)
      for (const file of files) expect(dirname(resolve(file))).toBe('/var/run/celery')
      for (const node of nodes) {
        const folder = resolve(expandPath('/var/run/celery/%n/worker.pid', node))
        expect(folder.startsWith('/var/run/celery/')).toBe(true)
      }
    }),
    { numRuns: 1_000 },
  )
})

function accepted(pattern: string): readonly string[] {
  try {
    return [nodeName(pattern, 'box')]
  } catch (error) {
    expect(error).toEqual(invalid)
    return []
  }
}
