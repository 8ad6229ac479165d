import { Connection, Exchange, MessageConsumer, MessageProducer, Queue, TransportRegistry } from '@celery/messaging'
import { memory } from '@celery/transport-memory'

const transports = new TransportRegistry().register('memory', async () => memory)
await using connection = new Connection({ urls: ['memory://media'], transports })

const media = new Exchange('media', { type: 'topic' })
const video = new Queue('video', { exchange: media, routingKey: 'video.#' })

await using producer = new MessageProducer({ connection, exchange: media })
await producer.publish({ name: 'cat.mp4' }, { routingKey: 'video.cat', declare: [video] })
await producer.publish({ name: 'dog.mp4' }, { routingKey: 'video.dog', compression: 'zlib' })

let left = 2
for await (const message of new MessageConsumer({ connection, queues: [video] })) {
  console.log(message.deliveryInfo?.routing_key, message.payload)
  await message.ack()
  if (--left === 0) break
}
