import { expect, test } from 'vitest'
import { ownFrames } from './own-frames.ts'

test('of a stack, the lines of the user stay', () => {
  const error = new Error('no')
  error.stack = [
    'TypeError: no',
    'and a second line about node: and node_modules',
    '    at declare (file:///home/me/proj/tasks.ts:3:20)',
    '    at new CeleryApp (file:///home/me/proj/node_modules/@celery/app/dist/celery-app.js:79:31)',
    '    at Array.map (<anonymous>)',
    '    at async load (/home/me/proj/node_modules/lib/index.js:1:1)',
    '    at Module._compile (node:internal/modules/cjs/loader:1554:14)',
    '    at C:\\proj\\tasks.ts:1:1',
    '    at ModuleJob.run (node:internal/modules/esm/module_job:325:25)',
    '    at async importFile (file:///home/me/linked/celery/cli/dist/load-app.js:47:17)',
  ].join('\n')
  expect(ownFrames(error).split('\n')).toEqual([
    'TypeError: no',
    'and a second line about node: and node_modules',
    '    at declare (file:///home/me/proj/tasks.ts:3:20)',
    '    at C:\\proj\\tasks.ts:1:1',
  ])
})

test('what is no error is told as it is', () => {
  expect(ownFrames('no')).toBe('no')
  expect(ownFrames(undefined)).toBe('undefined')
})
