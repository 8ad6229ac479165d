/** The page on Redis, as its readers take it, on a private server. */
import { isMissing, type RedisServer, startPythonCeleryWorker, startRedis } from '@celery/test-servers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Example, readExamples, readPythonExamples, readTranscripts } from './documented-examples.ts'
import { brokenLinks } from './documented-links.ts'
import { tsconfig } from './documented-programs.ts'
import { ProjectFolder } from './project-folder.ts'

const page = new URL('../../../docs/how-to/redis.md', import.meta.url)
const timeout = 180_000

test('its links lead somewhere', () => {
  expect(brokenLinks(page)).toEqual([])
})

test('its programs compile', { timeout }, async () => {
  await using folder = new ProjectFolder()
  for (const { file, source } of readExamples(page).values()) folder.write(file, source)
  folder.write('tsconfig.json', tsconfig)
  await folder.compile()
})

describe.skipIf(isMissing('redis'))('docs/how-to/redis.md on a server', { timeout }, () => {
  const programs = readExamples(page)
  let server: RedisServer
  let folder: ProjectFolder

  beforeEach(async () => {
    server = await startRedis()
    // The pages name the port that everybody has.
    folder = new ProjectFolder({ CELERY_BROKER_URL: server.url, CELERY_RESULT_BACKEND: server.url })
    for (const { file, source } of programs.values()) folder.write(file, source)
  })
  afterEach(async () => {
    await folder[Symbol.asyncDispose]()
    await server.close()
  })

  test('its terminal shows what it shows', async () => {
    const [worker, client, ...others] = readTranscripts(page)
    expect(others.length).toBeGreaterThan(0)
    await folder.startWorker(...words(worker?.command))
    expect(client?.output).toEqual(example(programs, 'client.ts').output)
    expect(await folder.run(words(client?.command)[0] ?? '')).toEqual(client?.output)
    for (const { command, output } of others) expect(await folder.celery(...words(command)), command).toEqual(output)
    expect(await server.send('EXISTS', '_kombu.binding.celery')).toBe(1)
  })

  test('its program with settings prints what it says', async () => {
    const { file, output } = example(programs, 'options.ts')
    expect(await folder.run(file)).toEqual(output)
    expect(await server.send('EXISTS', 'shop:_kombu.binding.celery')).toBe(1)
  })

  test.skipIf(isMissing('openssl'))('its settings for TLS are those of broker and store', async () => {
    await using encrypted = await startRedis({ tls: true })
    const { url = '', certificates } = encrypted.tls ?? {}
    await using client = new ProjectFolder({ CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url })
    const ssl = JSON.stringify({ ssl_ca_certs: certificates?.authority })
    client.write('tasks.ts', example(programs, 'tasks.ts').source)
    client.write(
      'tls.ts',
      `import { add, app } from './tasks.ts'
      app.conf.update({ broker_use_ssl: ${ssl}, redis_backend_use_ssl: ${ssl} })
      await using _app = app
      await using _worker = await app.startWorker()
      console.log(await (await add.delay(4, 4)).get({ timeout: 60 }))`,
    )
    expect(await client.run('tls.ts')).toEqual(['8'])
    expect(await encrypted.send('EXISTS', '_kombu.binding.celery')).toBe(1)
  })

  test.skipIf(isMissing('python-celery'))('its workers in two languages call each other', async () => {
    const python = readPythonExamples(page)
    for (const { file, source } of python.values()) folder.write(file, source)
    const env = { CELERY_BROKER_URL: server.url, CELERY_RESULT_BACKEND: server.url }
    const appSource = example(python, 'fleet.py').source
    await using _fleet = await startPythonCeleryWorker({ appSource, broker: server.url, backend: server.url, env })
    await folder.startWorker('-A', 'thumbs.ts', 'worker', '-l', 'INFO', '-c', '1')

    const [ask, order] = [example(python, 'ask.py'), example(programs, 'order.ts')]
    expect(await folder.runPython(ask.file)).toEqual(ask.output)
    expect(await folder.run(order.file)).toEqual(order.output)
  })
})

function example(examples: ReadonlyMap<string, Example>, file: string): Example {
  const found = examples.get(file)
  if (found === undefined) throw new Error(`the page has no example called ${file}`)
  return found
}

/** Of a command, without `npx celery` or `npx tsx`. */
function words(command = ''): readonly string[] {
  return command.split(' ').slice(2)
}
