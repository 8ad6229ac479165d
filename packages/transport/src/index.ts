export type {
  Binding,
  BrokerAddress,
  BrokerConnection,
  CloseOptions,
  DeadLetterLimits,
  Delivery,
  DeliveryRef,
  ExchangeDeclaration,
  FetchOptions,
  KeepLeases,
  LeaseCommands,
  LeaseKeeperSpec,
  OpenOptions,
  Publication,
  QueueDeclaration,
  QueueInfo,
  SettleAction,
  Settlement,
  SettleResult,
  Transport,
  TransportCapabilities,
} from './broker-connection.ts'
export { deadLetterLimits, deadLetterQueue, delaysPublications, isDeadLetterQueue } from './broker-connection.ts'
export { deliveryTags } from './delivery-tags.ts'
export { parseBrokerUrl } from './parse-broker-url.ts'
export {
  BrokerBusyError,
  ConnectionClosedError,
  ConnectionLostError,
  ExchangeMismatchError,
  ForeignWriteError,
  InvalidBrokerUrlError,
  UnknownExchangeError,
  UnknownTransportError,
  UnroutableError,
  UnsupportedByTransportError,
} from './transport-errors.ts'
