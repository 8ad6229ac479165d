/** The first steps of the README, as a newcomer takes them: its own code, in a folder of its own, in real processes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Example, readExamples } from './documented-examples.ts'
import { ProjectFolder, type WorkerProgram } from './project-folder.ts'

const examples = readExamples(new URL('../../../README.md', import.meta.url))

function example(file: string): Example {
  const found = examples.get(file)
  if (found === undefined) throw new Error(`the README has no example called ${file}`)
  return found
}

function project(): ProjectFolder {
  const folder = new ProjectFolder()
  for (const { file, source } of examples.values()) folder.write(file, source)
  return folder
}

const timeout = 120_000

describe('TypeScript as it is, two terminals, no broker configured', { timeout }, () => {
  let folder: ProjectFolder
  let worker: WorkerProgram

  beforeAll(async () => {
    folder = project()
    worker = await folder.startWorker('-A', 'tasks.ts', 'worker', '-l', 'INFO', '-c', '2')
  }, timeout)
  afterAll(() => folder[Symbol.asyncDispose](), timeout)

  test('the client gets 8', async () => {
    expect(await folder.run('client.ts')).toEqual(['8'])
  })

  test('a chain of three steps gives 16', async () => {
    expect(await folder.run('chain.ts')).toEqual(['16', '8'])
  })

  test('linkError calls a task that sees what went wrong', async () => {
    expect(await folder.run('failure.ts')).toEqual(['reported: RangeError: cannot divide by zero'])
  })

  const tested = ['tasks.ts', 'client.ts', 'chain.ts', 'failure.ts']
  const others = [...examples.keys()].filter((file) => file.endsWith('.ts') && !tested.includes(file))
  test.each(others)('%s prints what the README says', async (file) => {
    expect(await folder.run(file)).toEqual(example(file).output)
  })

  test('the command sends a task and prints its result', async () => {
    const [id = ''] = await folder.celery('-A', 'tasks.ts', 'call', 'tasks.add', '--args', '[2, 3]')
    expect(await folder.celery('-A', 'tasks.ts', 'result', id, '--wait', '30')).toEqual(['5'])
  })

  test('an interrupt ends the worker warmly', async () => {
    expect(await worker.stop('SIGINT')).toBe(0)
  })
})

describe('compiled to JavaScript', { timeout }, () => {
  test('the same modules compile without a type error and give the same results', async () => {
    await using folder = project()
    await folder.compile()
    const worker = await folder.startWorker('-A', 'dist/tasks.js', 'worker', '-l', 'INFO', '-c', '1')
    expect(await folder.run('dist/client.js')).toEqual(['8'])
    expect(await folder.run('dist/chain.js')).toEqual(example('chain.ts').output)
    expect(await folder.run('dist/failure.js')).toEqual(example('failure.ts').output)
    expect(await worker.stop('SIGTERM')).toBe(0)
  })
})
