/** For the packages of this repository: what is here may change in any release. */
export { backendPackages, type DriverPackage, transportPackages } from './driver-packages.ts'
export { findApp } from './find-app.ts'
export { importModules } from './import-modules.ts'
export { projectRoot } from './local-queue.ts'
export type { RegisteredTask } from './task.ts'
export { taskRequest } from './task-context.ts'
export type { SoftLimit, TraceInput, TraceOutcome } from './trace-types.ts'
export { Tracer } from './tracer.ts'
