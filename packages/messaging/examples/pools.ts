import { Connection, connectionPool, Queue, TransportRegistry } from '@celery/messaging'
import { memory } from '@celery/transport-memory'

const transports = new TransportRegistry().register('memory', async () => memory)
await using connection = new Connection({ urls: ['memory://pools'], transports })

await using pool = connectionPool(connection, { limit: 2 })
const names = ['letters', 'parcels', 'cards', 'telegrams']
const infos = await Promise.all(names.map((name) => pool.use((own) => new Queue(name).info(own))))
console.log(infos.length, 'queues seen through', pool.size, 'connections')
