export { OptionReader } from './connect/option-reader.ts'
export { type RedisAddress, RedisTarget, type RedisTargetData, readRedisTarget } from './connect/redis-target.ts'
export { translateReply } from './connect/translate-error.ts'
export {
  InvalidRedisAddressError,
  RedisFullError,
  RedisRefusedError,
  RedisReplyError,
  RedisUnavailableError,
  withoutAddress,
} from './errors.ts'
export { type OpenRedisOptions, openRedis, openRedisTarget } from './open-redis.ts'
export type { RedisArgument, RedisClient, RedisCommand } from './redis-client.ts'
export { type RedisScript, redisScript } from './redis-script.ts'
export type { PublishedMessage, RedisSubscriber } from './redis-subscriber.ts'
export { RedisWrite } from './redis-write.ts'
export { warnIfEvicting } from './warn-eviction.ts'
