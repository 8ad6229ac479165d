import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { findImports, findViolations, readWorkspace } from './check-layers.mjs'

/**
 * A package whose references follow from its dependencies, unless `overrides` says otherwise.
 *
 * @param {string} name
 * @param {readonly string[]} dependencies
 * @param {Partial<Omit<import('./check-layers.mjs').Package, 'manifest'>> & { manifest?: object }} overrides
 * @returns {import('./check-layers.mjs').Package}
 */
function packageOf(name, dependencies = [], overrides = {}) {
  return {
    folder: folderOf(name),
    references: dependencies.map(folderOf),
    files: [],
    ...overrides,
    manifest: {
      name,
      dependencies: Object.fromEntries(dependencies.map((each) => [each, 'workspace:^'])),
      ...overrides.manifest,
    },
  }
}

/** @param {string} name */
function folderOf(name) {
  return `packages/${name.replace('@celery/', '')}`
}

/**
 * @param {import('./check-layers.mjs').Package[]} packages
 * @param {Partial<import('./check-layers.mjs').Workspace>} overrides
 */
function violationsIn(packages, overrides = {}) {
  const rootReferences = packages.map((each) => each.folder)
  return findViolations({ rootReferences, rootDevDependencies: ['vitest'], packages, ...overrides })
}

const promises = packageOf('@celery/promises')
const transport = packageOf('@celery/transport', ['@celery/promises'])
const backend = packageOf('@celery/backend', ['@celery/promises'])
const messaging = packageOf('@celery/messaging', ['@celery/transport'])

/** @param {string} specifier */
const staticImport = (specifier) => ({ specifier, isDynamic: false })

describe('dependencies', () => {
  test('may point down and along an arrow', () => {
    const pool = packageOf('@celery/process-pool', ['@celery/promises'])
    const driver = packageOf('@celery/transport-memory', ['@celery/transport', '@celery/promises'])
    expect(violationsIn([promises, transport, backend, messaging, pool, driver])).toEqual([])
  })

  test('must not point up', () => {
    const wrong = packageOf('@celery/transport', ['@celery/messaging'])
    expect(violationsIn([packageOf('@celery/messaging'), wrong])).toEqual([
      '@celery/transport must not depend on @celery/messaging: "user half" is above "driver half"',
    ])
  })

  test('must not stay in a layer where no arrow leads', () => {
    const wrong = packageOf('@celery/transport', ['@celery/promises', '@celery/backend'])
    expect(violationsIn([promises, backend, wrong])).toEqual([
      '@celery/transport must not depend on @celery/backend: both are in the layer "driver half" and no arrow leads there',
    ])
  })

  test('of a leaf are promises and nothing else', () => {
    const wrong = packageOf('@celery/sqlite', ['@celery/promises', '@celery/bootsteps'])
    const bootsteps = packageOf('@celery/bootsteps', ['@celery/promises'])
    expect(violationsIn([promises, bootsteps, wrong])).toEqual([
      expect.stringContaining('@celery/sqlite must not depend on @celery/bootsteps'),
    ])
  })

  test('of a driver stay on its own half', () => {
    const wrong = packageOf('@celery/transport-redis', ['@celery/transport', '@celery/backend', '@celery/messaging'])
    expect(violationsIn([promises, transport, backend, messaging, wrong])).toEqual([
      '@celery/transport-redis must not depend on @celery/backend: of the driver half it may use @celery/transport only',
      expect.stringContaining('@celery/transport-redis must not depend on @celery/messaging'),
    ])
  })

  test('on a driver are for the celery package, and optional peers elsewhere', () => {
    const driver = packageOf('@celery/transport-memory', ['@celery/transport'])
    const wrong = packageOf('@celery/app', ['@celery/transport-memory'])
    expect(violationsIn([promises, transport, driver, wrong])).toEqual([
      expect.stringContaining('@celery/app must not depend on @celery/transport-memory'),
    ])
    const right = packageOf('@celery/app', [], {
      manifest: {
        peerDependencies: { '@celery/transport-memory': 'workspace:^' },
        peerDependenciesMeta: { '@celery/transport-memory': { optional: true } },
      },
    })
    const meta = packageOf('celery', ['@celery/transport-memory'])
    expect(violationsIn([promises, transport, driver, right, meta])).toEqual([])
  })

  test('must not form a circle, not even through development dependencies', () => {
    const low = packageOf('@celery/promises', [], {
      references: ['packages/transport'],
      manifest: { devDependencies: { '@celery/transport': 'workspace:^' } },
    })
    expect(violationsIn([low, transport])).toEqual([
      'packages depend on each other in a circle: @celery/promises -> @celery/transport -> @celery/promises',
    ])
  })

  test('are pinned, and siblings are taken from the workspace', () => {
    const wrong = packageOf('@celery/transport', [], {
      references: ['packages/promises'],
      manifest: { dependencies: { '@celery/promises': '^1.0.0', ioredis: '^6.0.0' } },
    })
    expect(violationsIn([promises, wrong])).toEqual([
      expect.stringContaining('@celery/promises@^1.0.0'),
      expect.stringContaining('ioredis@^6.0.0'),
    ])
  })

  test('are only judged for packages that have a layer', () => {
    expect(violationsIn([packageOf('@celery/mystery')])).toEqual([
      '@celery/mystery is in no layer: name it in scripts/check-layers.mjs',
    ])
  })
})

describe('project references', () => {
  test('must equal the dependencies on siblings', () => {
    const forgets = packageOf('@celery/transport', ['@celery/promises'], { references: [] })
    const invents = packageOf('@celery/backend', [], { references: ['packages/promises'] })
    expect(violationsIn([promises, forgets, invents])).toEqual([
      '@celery/transport depends on packages/promises without a reference in tsconfig.json',
      '@celery/backend has a reference to packages/promises but no dependency on it',
    ])
  })

  test('of the root must name every package', () => {
    expect(violationsIn([promises, transport], { rootReferences: ['packages/promises', 'packages/gone'] })).toEqual([
      'packages/transport is not built: add it to the references of tsconfig.json',
      'tsconfig.json references packages/gone, which is no package',
    ])
  })
})

describe('imports', () => {
  test('must be declared, carry the node: prefix and stay inside the package', () => {
    const wrong = packageOf('@celery/transport', ['@celery/promises'], {
      files: [
        {
          path: 'src/virtual/queue.ts',
          imports: [
            '@celery/promises',
            '@celery/backend/testkit',
            'vitest',
            'fs',
            'node:fs',
            '../a.ts',
            '../../../b.ts',
          ].map(staticImport),
        },
      ],
    })
    expect(violationsIn([promises, wrong])).toEqual([
      'packages/transport/src/virtual/queue.ts imports @celery/backend, which its package.json does not list',
      'packages/transport/src/virtual/queue.ts imports vitest, which its package.json does not list',
      'packages/transport/src/virtual/queue.ts imports fs: write node:fs',
      'packages/transport/src/virtual/queue.ts imports ../../../b.ts, which is outside of its package',
    ])
  })

  test('of tests may use development dependencies and the tools of the root', () => {
    const subject = packageOf('@celery/messaging', ['@celery/transport'], {
      references: ['packages/transport', 'packages/transport-memory'],
      manifest: { devDependencies: { '@celery/transport-memory': 'workspace:^' } },
      files: [
        { path: 'src/consumer.test.ts', imports: [staticImport('vitest'), staticImport('@celery/transport-memory')] },
        { path: 'test/consumer.test.ts', imports: [staticImport('../src/index.ts'), staticImport('fast-check')] },
        { path: 'src/consumer.ts', imports: [staticImport('@celery/transport-memory')] },
      ],
    })
    const driver = packageOf('@celery/transport-memory', ['@celery/transport'])
    expect(violationsIn([promises, transport, driver, subject])).toEqual([
      'packages/messaging/test/consumer.test.ts imports fast-check, which its package.json does not list',
      'packages/messaging/src/consumer.ts imports @celery/transport-memory, which its package.json does not list',
    ])
  })

  test('of an optional peer wait until it is needed', () => {
    const driver = packageOf('@celery/transport-memory', ['@celery/transport'])
    /** @param {boolean} isDynamic */
    const app = (isDynamic) =>
      packageOf('@celery/app', [], {
        manifest: {
          peerDependencies: { '@celery/transport-memory': 'workspace:^' },
          peerDependenciesMeta: { '@celery/transport-memory': { optional: true } },
        },
        files: [{ path: 'src/drivers.ts', imports: [{ specifier: '@celery/transport-memory', isDynamic }] }],
      })
    expect(violationsIn([promises, transport, driver, app(true)])).toEqual([])
    expect(violationsIn([promises, transport, driver, app(false)])).toEqual([
      'packages/app/src/drivers.ts imports @celery/transport-memory, an optional peer, at load time: use import()',
    ])
  })

  test('are found in every form that code can write them', () => {
    const source = `
      import 'side-effect'
      import name from "default"
      import {
        one,
        type Two,
      } from 'braces'
      import type { Three } from 'types'
      import * as all from 'namespace'
      export { four } from 'exported'
      export * from 'star'
      const later = await import('dynamic')
      // import no from 'line-comment'
      /* import no from 'block-comment' */
      const url = 'https://example.org' + "import('inside')" // from 'tail'
      const text = \`
        import no from 'template'
      \`
      export const from = 'constant'
      export type Direction = 'union' | 'members'
      export function go(from: 'parameter'): void {}
    `
    expect(findImports(source).map((each) => each.specifier)).toEqual([
      'side-effect',
      'default',
      'braces',
      'types',
      'namespace',
      'exported',
      'star',
      'dynamic',
    ])
  })
})

describe('a workspace on disk', () => {
  /** @type {string[]} */
  const folders = []

  afterEach(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
  })

  test('is read and judged as a whole', async () => {
    const root = await mkdtemp(join(tmpdir(), 'celery-layers-'))
    folders.push(root)
    const files = {
      'package.json': '{ "devDependencies": { "vitest": "4.1.12" } }',
      'tsconfig.json': '{ "references": [{ "path": "packages/transport" }, { "path": "packages/messaging" }] }',
      'packages/transport/package.json':
        '{ "name": "@celery/transport", "dependencies": { "@celery/messaging": "workspace:^" } }',
      'packages/transport/tsconfig.json': '{ "references": [{ "path": "../messaging" }] }',
      'packages/transport/src/index.ts': "export { Producer } from '@celery/messaging'\nimport net from 'net'\n",
      'packages/messaging/package.json': '{ "name": "@celery/messaging" }',
      'packages/messaging/tsconfig.json': '{}',
      'packages/messaging/test/producer.test.ts': "import { test } from 'vitest'\n",
    }
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true })
      await writeFile(join(root, name), content)
    }
    expect(findViolations(await readWorkspace(root))).toEqual([
      '@celery/transport must not depend on @celery/messaging: "user half" is above "driver half"',
      'packages/transport/src/index.ts imports net: write node:net',
    ])
  })
})
