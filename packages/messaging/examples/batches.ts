import { Connection, Consumer, Producer, Settler, TransportRegistry } from '@celery/messaging'
import { memory } from '@celery/transport-memory'

const transports = new TransportRegistry().register('memory', async () => memory)
await using connection = new Connection({ urls: ['memory://batches'], transports })

const message = { body: 'hello', contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
await new Producer({ connection }).publish({ exchange: '', routingKey: 'greetings', message })

const settler = new Settler({ connection, onError: console.error, onRefused: console.error })
const received = new Promise<void>((resolve) => {
  const consumer = new Consumer({
    connection,
    queues: [{ name: 'greetings' }],
    capacity: () => 10,
    onError: console.error,
    onMessages(messages) {
      for (const { delivery, message } of messages) {
        console.log(message?.body)
        settler.add({ delivery })
      }
      resolve(consumer.stop())
    },
  })
  void consumer.start()
})
await received
await settler.idle()
