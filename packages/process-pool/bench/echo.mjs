// Jobs per second through the pool: node bench/echo.mjs [jobs]
// Echoes bodies of 200 bytes; quotes the processor time that each job costs the parent.
import { ProcessPool } from '@celery/process-pool'

const jobs = Number(process.argv[2] ?? 100_000)
const header = { id: '5d2bbd0b-44cd-4a3b-8b1e-0f6ad2a0c1de', task: 'bench.echo' }

for (const [label, body] of [
  ['string', 'x'.repeat(200)],
  ['bytes', new Uint8Array(200).fill(120)],
]) {
  for (const size of [1, 2]) {
    const pool = new ProcessPool({ module: new URL('./echo-child.mjs', import.meta.url), size })
    await pool.start()
    await run(pool, 20_000, header, body)
    const cpu = process.cpuUsage()
    const start = performance.now()
    await run(pool, jobs, header, body)
    const ms = performance.now() - start
    const { user, system } = process.cpuUsage(cpu)
    const rate = Math.round((jobs / ms) * 1_000).toLocaleString('en')
    console.log(
      `${label} bodies, ${size} children: ${rate} jobs/s, parent ${((user + system) / jobs).toFixed(1)} µs of CPU per job`,
    )
  }
}

const pool = new ProcessPool({ module: new URL('./echo-child.mjs', import.meta.url), size: 1 })
await pool.start()
const trips = []
for (let i = 0; i < 2_000; i += 1) {
  const start = performance.now()
  await run(pool, 1, header, 'x')
  trips.push(performance.now() - start)
}
trips.sort((a, b) => a - b)
console.log(`one job at a time: p50 ${trips[1_000].toFixed(3)} ms, p99 ${trips[1_980].toFixed(3)} ms`)

/** Keeps 256 jobs in the pool, as an owner with a prefetch limit does. */
function run(pool, count, header, body) {
  return new Promise((resolve, reject) => {
    let submitted = 0
    let done = 0
    const job = {
      header,
      body,
      onDone(outcome) {
        if (outcome.type !== 'reply') reject(new Error(JSON.stringify(outcome)))
        done += 1
        if (submitted < count) submit()
        else if (done === count) resolve()
      },
    }
    const submit = () => {
      submitted += 1
      pool.submit(job)
    }
    for (let i = 0; i < Math.min(256, count); i += 1) submit()
  })
}
