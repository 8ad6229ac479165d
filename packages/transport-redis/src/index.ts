export { redis } from './redis-transport.ts'
