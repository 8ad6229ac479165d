export { type MemoryBackendOptions, memory, memoryBackend } from './memory.ts'
export { MemoryStore, type MemoryStoreOptions, type MemoryWrite } from './memory-store.ts'
