import { expect, test } from 'vitest'
import { tsxLoader } from './tsx-in-threads.ts'

test.each<[string, string[], string | undefined]>([
  ['the flag of its users', ['--import', 'tsx'], 'tsx'],
  ['one with an equals sign', ['--enable-source-maps', '--import=tsx'], 'tsx'],
  ['the loader of modules alone', ['--import', 'tsx/esm'], 'tsx'],
  ['an older flag', ['--loader', 'tsx'], 'tsx'],
  [
    'what its own command passes on',
    [
      '--require',
      '/app/node_modules/tsx/dist/preflight.cjs',
      '--import',
      'file:///app/node_modules/tsx/dist/loader.mjs',
    ],
    'file:///app/node_modules/tsx/dist/loader.mjs',
  ],
  [
    'a path of Windows',
    ['--import', 'C:\\app\\node_modules\\tsx\\dist\\loader.mjs'],
    'C:/app/node_modules/tsx/dist/loader.mjs',
  ],
  ['no flags', [], undefined],
  ['other loaders', ['--import', 'ts-node/register', '--import', './tsx.js', '--require', 'tsx'], undefined],
  ['a flag that is cut short', ['--import'], undefined],
])('of %s tsx is found', (_what, execArgv, loader) => {
  expect(tsxLoader(execArgv)).toBe(loader)
})
