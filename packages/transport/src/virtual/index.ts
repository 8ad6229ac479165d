export { topicMatches } from './topic-pattern.ts'
export type { QueueMessage, VirtualBroker, VirtualSettlement } from './virtual-broker.ts'
export { type VirtualTransportDefinition, virtualTransport } from './virtual-transport.ts'
