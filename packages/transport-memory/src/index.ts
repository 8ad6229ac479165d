export type { MemoryStatement } from './memory-statement.ts'
export { type MemoryTransportOptions, memory, memoryTransport } from './memory-transport.ts'
