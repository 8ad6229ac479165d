export type { QueueMessage, VirtualBroker, VirtualSettlement } from './virtual-broker.ts'
