import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sqlite } from '../src/index.ts'
import { type Child, startChild } from './child.ts'
import { temporaryFolder } from './open-sqlite-store.ts'

const DEADLINE = 30_000

describe('several processes on one file', () => {
  test('a watch sees what another process stores', { timeout: DEADLINE }, async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'queue.db')
    await using backend = await sqlite.open(`sqlite:///${file}`)
    await using child = startChild(
      file,
      `
      console.log('ready')
      await go()
      await backend.store([{ taskId: 'a', state: 'STARTED', record: 'begun' }])
      await go()
      await backend.store([success('b'), success('a', 'done')])
      `,
    )
    await child.lines.next()
    for (const expected of ['begun', '{"taskId":"a","note":"done"}']) {
      const changed = new Promise((resolve) => {
        void backend.watch(['a'], resolve).then(() => child.go())
      })
      expect(await changed).toBe('a')
      expect((await backend.fetch(['a'])).get('a')?.record).toBe(expected)
    }
    expect(await child.exited).toBe(0)
  })

  test('a process that waits for a result stays alive until another one stores it', { timeout: DEADLINE }, async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'queue.db')
    await using waiting = startChild(
      file,
      `
      process.stdin.destroy()
      let watch
      const told = new Promise((resolve) => { watch = backend.watch(['a'], resolve) })
      await watch
      console.log('waiting')
      console.log(await told)
      await (await watch)[Symbol.asyncDispose]()
      `,
    )
    await waiting.lines.next()
    // Starting this one takes longer than a process with nothing left to wait for takes to end.
    await using writing = startChild(file, "await backend.store([success('a')])")
    expect(await writing.exited).toBe(0)
    expect((await waiting.lines.next()).value).toBe('a')
    expect(await waiting.exited).toBe(0)
  })

  test('of many processes that finish one task the first one wins, and all agree', { timeout: DEADLINE }, async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'queue.db')
    const source = (name: string): string => `
      console.log('ready')
      await go()
      const seen = []
      for (let i = 0; i < 200; i++) {
        await backend.store([success('task-' + i, '${name}')])
        seen.push((await backend.fetch(['task-' + i])).get('task-' + i).record)
      }
      console.log(JSON.stringify(seen))
    `
    await using first = startChild(file, source('first'))
    await using second = startChild(file, source('second'))
    await using third = startChild(file, source('third'))
    const children: Child[] = [first, second, third]
    for (const child of children) await child.lines.next()
    for (const child of children) child.go()
    const [seen, ...others] = await Promise.all(
      children.map(async (child) => JSON.parse((await child.lines.next()).value as string) as string[]),
    )
    expect(seen).toHaveLength(200)
    for (const other of others) expect(other).toEqual(seen)
  })

  test('what a process has confirmed is there after it was killed', { timeout: DEADLINE }, async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'queue.db')
    await using child = startChild(
      file,
      `
      for (let i = 0; ; i++) {
        await backend.store(Array.from({ length: 10 }, (_, k) => success(i + '-' + k)))
        console.log(i)
      }
      `,
    )
    let last = -1
    while (last < 100) last = Number((await child.lines.next()).value)
    child.process.kill('SIGKILL')
    await child.exited
    for (let line = await child.lines.next(); line.done !== true; line = await child.lines.next()) {
      // The last line may have been cut.
      if (/^\d+$/.test(line.value) && Number(line.value) === last + 1) last += 1
    }
    const confirmed = Array.from({ length: (last + 1) * 10 }, (_, i) => `${Math.floor(i / 10)}-${i % 10}`)
    await using backend = await sqlite.open(`sqlite:///${file}`)
    expect((await backend.fetch(confirmed)).size).toBe(confirmed.length)
  })
})
