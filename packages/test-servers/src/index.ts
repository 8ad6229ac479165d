export type { Certificates } from './certificates.ts'
export { MissingServerError, ProcessStartError } from './errors.ts'
export { type FaultProxy, type FaultProxyOptions, startFaultProxy } from './fault-proxy.ts'
export { findExecutable } from './find-executable.ts'
export { freePort } from './free-port.ts'
export { type ExitStatus, GuardedProcess, type GuardedProcessOptions } from './guarded-process.ts'
export type { Direction } from './proxied-connection.ts'
export {
  type PythonApp,
  type PythonWorker,
  type PythonWorkerOptions,
  startPythonCeleryWorker,
} from './python-worker.ts'
export { type RedisCluster, type RedisClusterOptions, startRedisCluster } from './redis-cluster.ts'
export type { RedisReply } from './redis-command.ts'
export {
  type RedisReplication,
  type RedisReplicationOptions,
  type RedisSentinel,
  startRedisReplication,
} from './redis-replication.ts'
export { type RedisOptions, type RedisServer, type RedisTls, startRedis } from './redis-server.ts'
export { isInstalled, isMissing, requireServer, type ServerName, SYSTEM_PYTHON } from './servers.ts'
