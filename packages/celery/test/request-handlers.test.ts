import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Scene, until } from './scene.ts'

const lost = "WorkerLostError('the process that ran the task ended before it: exit status 3')"

test.concurrent.each([
  ['prefork', ['exit', `${lost} no traceback`]],
  ['async', undefined],
] as const)(
  'TASK-122 what a task wants to be called in the main process of the worker is called there: %s',
  async (pool, crash) => {
    await using scene = new Scene({ module: 'request-handlers.mjs' })
    const worker = await scene.startWorker('-c', '2', '-P', pool)
    const ids = new Map<string, string>()
    const expected: string[] = []
    const run = async (task: string, ...lines: readonly string[]): Promise<void> => {
      const id = await scene.send(task)
      ids.set(task, id)
      expected.push(...lines.map((line) => `${worker.pid} ${task} ${id} ${line}`))
      expect(await scene.outcome(id)).toMatch(/^FAILURE /)
      await until(() => told().length >= expected.length, `what is told of ${task}`)
    }
    const told = (): readonly string[] => readFileSync(scene.ledgerFile, 'utf8').split('\n').slice(0, -1)

    await run('slow', 'soft 0.2', 'hard 0.6', 'TimeLimitExceeded(0.6) no traceback')
    await run('fail', "TypeError('no') true")
    await run('fail-and-fail', "TypeError('no') true")
    if (crash !== undefined) await run(...crash)
    expect(told()).toEqual(expected)
    await worker.untilLogged(`Task slow[${ids.get('slow')}] runs over its soft time limit of 0.2s`)
    await worker.untilLogged('onFailure of the request threw: Error: the handler failed, too')
    expect(worker.log).toMatch(/fail-and-fail\[.+\]: onFailure of the request threw: Error: the handler failed, too/)
    expect(await scene.value(await scene.send('add', 2, 3))).toBe(5)
    expect(await worker.stop()).toBe(0)
  },
)
