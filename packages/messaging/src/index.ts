export { Batcher, type BatcherOptions } from './batcher.ts'
export {
  Connection,
  type ConnectionOptions,
  isConnectionLost,
  isTemporary,
  type ReconnectInfo,
} from './connection.ts'
export { Consumer, type ConsumerOptions, type IncomingMessage } from './consumer.ts'
export { Producer, type ProducerOptions, type PublishRetryPolicy, PublishTimeoutError } from './producer.ts'
export { type PendingSettlement, Settler, type SettlerOptions } from './settler.ts'
export { type LoadTransport, TransportRegistry } from './transport-registry.ts'
