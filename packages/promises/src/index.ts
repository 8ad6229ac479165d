export { type AbortableOptions, abortable } from './abort.ts'
export { CeleryError } from './celery-error.ts'
export { type Clock, systemClock } from './clock.ts'
export { type Deferred, deferred } from './deferred.ts'
