export { Attempts } from './attempts.ts'
export { Batcher, type BatcherOptions } from './batcher.ts'
export { Broadcast, type BroadcastOptions } from './broadcast.ts'
export type { BrokerSource } from './broker-source.ts'
export { CloseTimeoutError } from './close-timeout-error.ts'
export type { CodecOptions } from './codecs.ts'
export { Connection, type ConnectionOptions, type EnsureOptions, type ReconnectInfo } from './connection.ts'
export { connectionPool, type PoolOptions, producerPool } from './connection-pools.ts'
export { type ConsumeOptions, consume, type HandlerOptions } from './consume.ts'
export { Consumer, type ConsumerOptions, type IncomingMessage, type ReceivedDelivery } from './consumer.ts'
export { type DeliveryMode, Exchange, type ExchangeData, type ExchangeOptions } from './exchange.ts'
export type { FailoverStrategy } from './failover.ts'
export { type Message, type MessageState, MessageStateError } from './message.ts'
export { MessageConsumer, type MessageConsumerOptions, type ReceiveOptions } from './message-consumer.ts'
export {
  type MessageDefaults,
  type MessageOptions,
  MessageProducer,
  type MessageProducerOptions,
} from './message-producer.ts'
export {
  Producer,
  type ProducerOptions,
  type PublishOptions,
  type PublishRetryPolicy,
  PublishTimeoutError,
} from './producer.ts'
export {
  Queue,
  type QueueBinding,
  type QueueBindingData,
  type QueueData,
  type QueueOptions,
} from './queue.ts'
export {
  type AcquireOptions,
  type Leased,
  LimitExceededError,
  ResourcePool,
  ResourcePoolClosedError,
  type ResourcePoolOptions,
} from './resource-pool.ts'
export { type PendingSettlement, Settler, type SettlerOptions } from './settler.ts'
export { type GetOptions, SimpleBuffer, SimpleQueue, type SimpleQueueOptions } from './simple-queue.ts'
export { isConnectionLost, isTemporary } from './temporary-errors.ts'
export { type LoadTransport, TransportRegistry } from './transport-registry.ts'
