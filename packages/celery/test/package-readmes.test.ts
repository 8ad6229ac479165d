/** Each package's README begins with a program that does what it says. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readExamples } from './documented-examples.ts'
import { printedBy, tsconfig } from './documented-programs.ts'
import { ProjectFolder } from './project-folder.ts'

const packages = new URL('../../', import.meta.url)

/** Their examples need more than a folder to run in. */
const elsewhere: Readonly<Record<string, string>> = {
  'backend-redis': 'packages/backend-redis/test/readme.test.ts',
  cli: 'the commands are those of the first steps, in readme.test.ts',
  messaging: 'packages/messaging/test/readme.test.ts',
  testing: 'packages/testing/test/guide.test.ts',
}

/** Their programs talk to the server at this address. */
const onRedis: readonly string[] = ['redis', 'transport-redis']
const redisUrl = 'redis://localhost:6379/0'

const names = readdirSync(packages)
  .filter((name) => {
    const manifest = new URL(`${name}/package.json`, packages)
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).private !== true && !(name in elsewhere)
  })
  .filter((name) => !onRedis.includes(name) || !isMissing('redis'))

const timeout = 120_000

describe('the READMEs of the packages', { timeout }, () => {
  const examples = names.flatMap((name) =>
    [...readExamples(new URL(`${name}/README.md`, packages)).values()].map((example) => ({
      ...example,
      file: `${name}/${example.file}`,
    })),
  )
  const programs = examples.filter(({ output }) => output.length > 0)
  const folder = new ProjectFolder()
  let printed: Awaited<ReturnType<typeof printedBy>>
  let server: RedisServer | undefined

  beforeAll(async () => {
    if (names.some((name) => onRedis.includes(name))) server = await startRedis()
    for (const { file, source } of examples) folder.write(file, source.replaceAll(redisUrl, server?.url ?? redisUrl))
    printed = await printedBy(folder, programs)
  }, timeout)
  afterAll(async () => {
    await folder[Symbol.asyncDispose]()
    await server?.close()
  })

  test.each(names)('%s has a program that prints what it says', (name) => {
    const own = programs.filter(({ file }) => file.startsWith(`${name}/`))
    expect(own).not.toEqual([])
    for (const { file, output } of own) expect(printed[file], file).toEqual(output)
  })

  test('their programs compile', async () => {
    folder.write('tsconfig.json', tsconfig)
    await folder.compile()
  })
})
