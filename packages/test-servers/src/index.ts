export { MissingServerError, ProcessStartError } from './errors.ts'
export { findExecutable } from './find-executable.ts'
export { freePort } from './free-port.ts'
export { type ExitStatus, GuardedProcess, type GuardedProcessOptions } from './guarded-process.ts'
export {
  type PythonApp,
  type PythonWorker,
  type PythonWorkerOptions,
  startPythonCeleryWorker,
} from './python-worker.ts'
export { type RedisOptions, type RedisServer, startRedis } from './redis-server.ts'
export { isInstalled, isMissing, requireServer, type ServerName, SYSTEM_PYTHON } from './servers.ts'
