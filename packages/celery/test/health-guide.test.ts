/** The page on health, as its readers take it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readExamples, readTranscripts } from './documented-examples.ts'
import { brokenLinks } from './documented-links.ts'
import { printedBy, tsconfig } from './documented-programs.ts'
import { ProjectFolder } from './project-folder.ts'

const page = new URL('../../../docs/how-to/health.md', import.meta.url)
const timeout = 120_000

describe('docs/how-to/health.md', { timeout }, () => {
  let folder: ProjectFolder
  const programs = [...readExamples(page).values()]

  beforeAll(() => {
    folder = new ProjectFolder()
    for (const { file, source } of programs) folder.write(file, source)
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  test('its program compiles and prints what it says', async () => {
    expect(await printedBy(folder, programs)).toEqual(
      Object.fromEntries(programs.map(({ file, output }) => [file, output])),
    )
    folder.write('tsconfig.json', tsconfig)
    await folder.compile()
  })

  test('its terminal shows what it shows', async () => {
    folder.write(
      'tasks.ts',
      "import { Celery } from 'celery'\nexport const app = new Celery('tasks')\napp.task('tasks.add', (x: number, y: number) => x + y)\n",
    )
    const [worker, health] = readTranscripts(page)
    await folder.startWorker(...words(worker?.command))
    for (;;) {
      // The socket is there a moment after the worker is.
      const printed = await folder.celery(...words(health?.command)).catch(() => undefined)
      if (printed === undefined) continue
      const patterns = health?.output.map((line) => line.split('…').map(escaped).join('.*')) ?? []
      expect(patterns.length).toBeGreaterThan(5)
      expect(printed.join('\n')).toMatch(new RegExp(`^${patterns.join('\n')}$`))
      return
    }
  })

  test('its links lead somewhere', () => {
    expect(brokenLinks(page)).toEqual([])
  })
})

function words(command = ''): readonly string[] {
  return command.split(' ').slice(2)
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
