// A producer or a worker for kill.test.ts. Arguments: role, path of the database, path of the producer's ledger.
import { appendFileSync } from 'node:fs'
import { openDatabase, SqliteWrite } from '@celery/sqlite'
import { openSqliteBroker } from '@celery/transport-sqlite'

const [role, path = '', ledger = ''] = process.argv.slice(2)
const broker = await openSqliteBroker({ path, leaseMs: 600 })
process.send?.('ready')

if (role === 'producer') {
  for (let count = 0; ; count++) {
    const batch = Array.from({ length: 1 + (count % 7) }, (_, index) => ({
      queue: 'work',
      tag: `${process.pid}-${count}-${index}`,
      payload: 'x'.repeat(900),
      priority: count % 3,
    }))
    await broker.put(batch)
    appendFileSync(ledger, batch.map(({ tag }) => `${tag}\n`).join(''))
    await new Promise((resolve) => setTimeout(resolve, 4))
  }
} else {
  const database = await openDatabase(path)
  const { signal } = new AbortController()
  for (;;) {
    const deliveries = await broker.fetch(['work'], { max: 20, signal })
    await new Promise((resolve) => setTimeout(resolve, 2))
    const settlements = deliveries.map((delivery) => {
      const write = new SqliteWrite('INSERT INTO done (tag) VALUES (?)', [delivery.tag])
      return { delivery, writes: [{ domain: database.domain, statement: write }] }
    })
    await broker.settle(settlements)
  }
}
