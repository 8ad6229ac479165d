/** The guide as its readers take it: every program is compiled, run, and prints what the page says. */
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeBlocks, readExamples, readTranscripts } from './documented-examples.ts'
import { brokenLinks } from './documented-links.ts'
import { optionTable, withTable } from './documented-options.ts'
import { printedBy, tsconfig } from './documented-programs.ts'
import { ProjectFolder } from './project-folder.ts'

const guide = new URL('../../../docs/guide/', import.meta.url)
const pages = readdirSync(guide).filter((file) => file.endsWith('.md'))
const timeout = 120_000

describe.each(pages)('%s', { timeout }, (page) => {
  const url = new URL(page, guide)
  const examples = readExamples(url)
  const programs = [...examples.values()].filter(({ output }) => output.length > 0)
  const transcripts = readTranscripts(url)
  let folder: ProjectFolder

  beforeAll(() => {
    folder = guideFolder()
    for (const { file, source } of examples.values()) folder.write(file, source)
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  test('shows no code that is not tried', () => {
    expect(codeBlocks(url).filter((block) => !/^\/\/ [\w./-]+\n/.test(block))).toEqual([])
  })

  test.runIf(transcripts.length > 0)('shows terminals as they are', async () => {
    for (const { command, output } of transcripts) {
      expect(missing(output, await shown(folder, command)), `not printed by ${command}`).toEqual([])
    }
  })

  test.runIf(programs.length > 0)('prints what it says', async () => {
    expect(await printedBy(folder, programs)).toEqual(
      Object.fromEntries(programs.map(({ file, output }) => [file, output])),
    )
  })
})

test.each([...pages, '../../README.md'])('the links of %s lead somewhere', (page) => {
  expect(brokenLinks(new URL(page, guide))).toEqual([])
})

test('all programs compile', { timeout }, async () => {
  await using folder = guideFolder()
  for (const page of pages) {
    for (const { file, source } of readExamples(new URL(page, guide)).values()) folder.write(`${page}/${file}`, source)
  }
  folder.write('tsconfig.json', tsconfig)
  await folder.compile()
})

/** With the library of the example with a schema. */
function guideFolder(): ProjectFolder {
  const folder = new ProjectFolder()
  const modules = fileURLToPath(new URL('../../app/node_modules', import.meta.url))
  symlinkSync(join(modules, 'zod'), join(folder.path, 'node_modules', 'zod'))
  return folder
}

/** Runs a command to its end; a worker goes on until the folder is disposed of. */
async function shown(folder: ProjectFolder, command: string): Promise<readonly string[]> {
  const words = command.match(/'[^']*'|\S+/g) ?? []
  const [npx, program, ...args] = words.map((word) => word.replace(/^'(.*)'$/, '$1'))
  if (npx === 'npx' && program === 'tsx') return folder.run(args.join(' '))
  if (npx !== 'npx' || program !== 'celery') throw new Error(`the tests cannot run: ${command}`)
  return args.includes('worker') ? (await folder.startWorker(...args)).lines : folder.celery(...args)
}

/** The expected lines that are not among the printed ones, in their order. */
function missing(expected: readonly string[], printed: readonly string[]): readonly string[] {
  let from = 0
  return expected.filter((line) => {
    const pattern = new RegExp(`^${line.split('…').map(escaped).join('.*')}$`)
    const found = printed.findIndex((each, index) => index >= from && pattern.test(each.trimEnd()))
    if (found !== -1) from = found + 1
    return found === -1
  })
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

const task = new URL('../../app/dist/task.d.ts', import.meta.url)
const call = new URL('../../canvas/dist/call-options.d.ts', import.meta.url)

const tables = [
  {
    page: 'tasks.md',
    name: 'task options',
    interfaces: [
      [task, 'TaskOptions'],
      [task, 'TaskDefaults'],
    ],
  },
  {
    page: 'calling-tasks.md',
    name: 'call options',
    interfaces: [
      [call, 'CallOptions'],
      [task, 'SendOptions'],
    ],
  },
] as const

test.each(tables)('the table of $name is that of the types', async ({ page, name, interfaces }) => {
  const url = new URL(page, guide)
  const text = withTable(readFileSync(url, 'utf8'), name, optionTable(interfaces))
  await expect(text).toMatchFileSnapshot(fileURLToPath(url))
})
