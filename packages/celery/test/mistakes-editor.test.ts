/** What the compiler says of a slip is what the editor shows: it has to name the slip. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tsconfig } from './documented-programs.ts'
import { ProjectFolder } from './project-folder.ts'

const header = `import { Celery, type TaskContext } from 'celery'

class Session {
  user = 'me'
}
const app = new Celery('shop')
`

const noSuchOption = (name: string, bind: boolean): string =>
  `Object literal may only specify known properties, and '${name}' does not exist in type 'TaskOptions<readonly []> & { readonly bind?: ${bind}; }'.`

/** A declaration of a task, and the line that says what is wrong with it. */
const slips: readonly [declaration: string, says: string][] = [
  [`app.task('t', (n: number) => n, { maxRetry: 3 })`, noSuchOption('maxRetry', false)],
  [`app.task('t', (context, n: number) => [context, n], { bind: true, maxRetry: 3 })`, noSuchOption('maxRetry', true)],
  [
    `app.task('t', (context, n: number) => [context, n], { acksLat: true, bind: true })`,
    `Object literal may only specify known properties, but 'acksLat' does not exist in type 'TaskOptions<readonly []> & { readonly bind?: true; }'. Did you mean to write 'acksLate'?`,
  ],
  [
    `app.task('t', (context, n: number) => [context, n], { bind: true, maxRetries: '3' })`,
    `Type 'string' is not assignable to type 'number'.`,
  ],
  [
    `app.task('t', (context, n: number) => [context, n], { bind: true, params: ['context', 'n'] })`,
    `Type '["context", "n"]' is not assignable to type '"a name for each parameter, with a question mark where it may be left out"'.`,
  ],
  [
    `app.task('t', async (context, to: string) => context.logger.info(to))`,
    `Property 'logger' does not exist on type 'ContextComesWithBindTrue'.`,
  ],
  [
    `app.task('t', (context, to: string) => context.logger.info(to), { maxRetries: 3 })`,
    `Property 'logger' does not exist on type 'ContextComesWithBindTrue'.`,
  ],
  [
    `app.task('t', (text: string) => text, { bind: true })`,
    `Property 'function' is missing in type '{ bind: true; }' but required in type '{ readonly function: "of a bound task takes the context first"; }'.`,
  ],
  [
    `app.task('t', ({ base }: TaskContext<Session>) => base.user, { bind: true })`,
    `Property 'base' is missing in type '{ bind: true; }' but required in type '{ readonly base: Session | (new () => Session); }'.`,
  ],
  [
    `const add = app.task('t', async (x: number) => x); const y: number = add(3)`,
    `Type 'Promise<number>' is not assignable to type 'number'.`,
  ],
  [
    `app.task('t', (x: number, y: number) => x + y, { params: ['x', 'y'] }).applyAsync([], { kwargs: { x: 1 } })`,
    `Property 'y' is missing in type '{ x: number; }' but required in type '{ readonly x: number; readonly y: number; }'.`,
  ],
  [`app.conf.taskTimeLimit = '5'`, `Type 'string' is not assignable to type 'number'.`],
  [`app.conf.update({ task_acks_late: 'yes' })`, `Type 'string' is not assignable to type 'boolean'.`],
  [
    `app.conf.update({ task_acks_lat: true })`,
    `Object literal may only specify known properties, but 'task_acks_lat' does not exist in type 'SettingsInput'. Did you mean to write 'task_acks_late'?`,
  ],
]

let folder: ProjectFolder

beforeAll(() => {
  folder = new ProjectFolder()
})

afterAll(() => folder[Symbol.asyncDispose]())

test('a slip is named', { timeout: 120_000 }, async () => {
  folder.write('tsconfig.json', tsconfig)
  for (const [index, [declaration]] of slips.entries()) folder.write(`slip-${index}.ts`, `${header}${declaration}\n`)
  const told = await folder.compile().then(
    () => '',
    (error: unknown) => (error as Error).message,
  )
  // Each error begins with its place; what follows is indented.
  const said = slips.map(([declaration, says], index) => {
    const own = told
      .trimEnd()
      .split(/\n(?=\S)/)
      .filter((text) => text.startsWith(`slip-${index}.ts(`))
      .map((text) => text.replace(/^.*?: error TS\d+: /, ''))
    return [declaration, own.some((text) => text.split(/\n +/).includes(says)) ? says : own.join('\n')]
  })
  expect(said).toEqual(slips)
})
