export type { MemoryStatement } from './memory-statement.ts'
export { memory, memoryTransport } from './memory-transport.ts'
