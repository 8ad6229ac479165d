/** What can be wrong with how a program is set up: its settings, its modules, its packages. */
import { fileURLToPath } from 'node:url'
import { CeleryError } from '@celery/promises'

/** A setting or option that cannot be right. Celery's ImproperlyConfigured. */
export class ImproperlyConfiguredError extends CeleryError {
  override readonly name = 'ImproperlyConfigured'
  readonly code = 'ERR_CELERY_IMPROPERLY_CONFIGURED'
  readonly setting: string

  constructor(setting: string, problem: string) {
    super(problem)
    this.setting = setting
  }
}

/** Two different functions under one task name. */
export class AlreadyRegisteredError extends CeleryError {
  override readonly name = 'AlreadyRegistered'
  readonly code = 'ERR_CELERY_ALREADY_REGISTERED'
  readonly task: string

  constructor(task: string) {
    super(`a task named "${task}" is already registered in this app; give one of the two another name`)
    this.task = task
  }
}

/** A pool process imported the module of the app and found none in it. */
export class AppNotFoundError extends CeleryError {
  override readonly name = 'AppNotFoundError'
  readonly code = 'ERR_CELERY_APP_NOT_FOUND'
  readonly module: string

  constructor(module: string, exportName: string | undefined) {
    const what = exportName === undefined ? 'a Celery app' : `a Celery app as "${exportName}"`
    super(`${module} does not export ${what}; export it: export const app = new Celery('name')`)
    this.module = module
  }
}

/** A module that a worker is to import is not there. */
export class ModuleNotFoundError extends CeleryError {
  override readonly name = 'ModuleNotFoundError'
  readonly code = 'ERR_CELERY_MODULE_NOT_FOUND'
  readonly module: string
  /** Files and packages, in the order in which they were looked for. */
  readonly lookedFor: readonly string[]

  constructor(module: string, lookedFor: readonly string[], options?: ErrorOptions) {
    super(
      `cannot find the module "${module}" to import; looked for ${lookedFor.join(', then for ')}; ` +
        'give its path from the working directory, or the name of an installed package',
      options,
    )
    this.module = module
    this.lookedFor = lookedFor
  }
}

/** Node cannot read a module, or one that it imports, as it is written: in TypeScript, or with imports in CommonJS. */
export class UnreadableModuleError extends CeleryError {
  override readonly name = 'UnreadableModuleError'
  readonly code = 'ERR_CELERY_UNREADABLE_MODULE'
  readonly module: string

  constructor(module: string, hint: string, cause: unknown) {
    const path = module.startsWith('file:') ? fileURLToPath(module) : module
    super(`cannot import ${path}: ${cause instanceof Error ? cause.message : String(cause)}; ${hint}`, { cause })
    this.module = module
  }
}

/** A driver package is needed and not there. */
export class DriverMissingError extends CeleryError {
  override readonly name = 'DriverMissingError'
  readonly code = 'ERR_CELERY_DRIVER_MISSING'
  readonly package: string

  constructor(url: string, packageName: string, options?: ErrorOptions) {
    super(`${url} needs the package ${packageName}, which is not installed; run: npm install ${packageName}`, options)
    this.package = packageName
  }
}

/** No broker is configured where the embedded one would be a mistake. */
export class NoBrokerError extends CeleryError {
  override readonly name = 'NoBrokerError'
  readonly code = 'ERR_CELERY_NO_BROKER'

  constructor() {
    super(
      'no broker is configured, and NODE_ENV is "production"; set brokerUrl (or CELERY_BROKER_URL), ' +
        'or set CELERY_LOCAL to a file to use the embedded broker on purpose',
    )
  }
}

/** Results are asked for, and nothing keeps them. */
export class NoBackendError extends CeleryError {
  override readonly name = 'NoBackendError'
  readonly code = 'ERR_CELERY_NO_BACKEND'

  /** @param broker - Address of the broker where that can keep results too, with the password masked. */
  constructor(broker?: string) {
    const example = broker === undefined ? '"memory://" or "sqlite:///path"' : `the URL of the broker, ${broker},`
    super(`no result backend is configured, so results cannot be read; set resultBackend, to ${example} for example`)
  }
}

/** A worker was given a name that cannot stand in paths and log lines. */
export class InvalidNodeNameError extends CeleryError {
  override readonly name = 'InvalidNodeNameError'
  readonly code = 'ERR_CELERY_INVALID_NODE_NAME'
  readonly nodeName: string

  constructor(nodeName: string, reason: string) {
    super(`${JSON.stringify(nodeName.slice(0, 100))} cannot be the name of a worker: ${reason}`)
    this.nodeName = nodeName
  }
}
