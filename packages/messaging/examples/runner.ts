import { Connection, consume, Queue, SimpleQueue, TransportRegistry } from '@celery/messaging'
import { memory } from '@celery/transport-memory'

const transports = new TransportRegistry().register('memory', async () => memory)
await using connection = new Connection({ urls: ['memory://runner'], transports })

await using letters = new SimpleQueue({ connection, queue: new Queue('letters') })
for (const letter of ['a', 'b', 'c']) await letters.put(letter)

const end = new AbortController()
await consume({
  connection,
  queues: [letters.queue],
  concurrency: 2,
  signal: end.signal,
  handler({ payload }) {
    console.log(payload)
    if (payload === 'c') end.abort()
  },
})
console.log('left:', await letters.size())
