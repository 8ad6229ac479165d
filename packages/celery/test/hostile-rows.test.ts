import { openDatabase } from '@celery/sqlite'
import { expect, test } from 'vitest'
import { envelope, HostileScene } from './hostile-scene.ts'

/** What a program with access to the broker's file might write there, or a disk that forgets. */
const contents: readonly [what: string, sql: string][] = [
  ['H-05 bytes that are not UTF-8', `x'7b2261223a22fffe227d'`],
  ['H-05 text that is not UTF-8', `CAST(x'7b2261223a22fffe227d' AS TEXT)`],
  ['H-05 text with NUL in it', `CAST(x'7b2200226122003a317d' AS TEXT)`],
  ['H-01 bytes', `x'00ff00ff'`],
  ['H-01 a number', `12345678901234567890`],
  ['H-01 no bytes', `x''`],
]

test.each(contents)(
  'a row of the broker that holds %s',
  async (_what, sql) => {
    await using hostile = await HostileScene.open({ settings: { taskAcksLate: true } }, '-c', '1', '-P', 'async')
    const { scene, worker } = hostile
    // Held back, so that nobody takes it before it is spoiled.
    const tag = await hostile.put(envelope({ headers: { id: 'spoiled' } }), Date.now() + 60_000)
    const database = await openDatabase(scene.broker)
    try {
      database.transaction(() => {
        database.exec(`UPDATE message SET payload = ${sql} WHERE tag = '${tag}'`)
        database.exec('UPDATE delayed SET until_ms = 1')
      })
    } finally {
      database.close()
    }
    const [dead] = await scene.deadLetters()
    expect(dead?.tag).toBe(tag)
    expect(dead?.deadReason).toMatch(/envelope/)
    const id = await scene.send('add', 2, 3)
    expect(await scene.value(id)).toBe(5)
    await worker.untilLogged(`add[${id}] succeeded`)
    expect(worker.log.match(/ERROR/g)).toHaveLength(1)
    await scene.untilEmpty()
    expect(await worker.stop()).toBe(0)
  },
  60_000,
)
