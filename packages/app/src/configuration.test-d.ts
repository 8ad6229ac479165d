/** Compiled, never run: what the types of settings, and of declaring tasks in other ways, accept and refuse. */

import { Celery, type Configuration, type Settings, type SettingsInput, sharedTask } from './index.ts'
import * as moduleOfSettings from './task-name.ts'

const app = new Celery('types')

{
  const { conf }: { conf: Configuration } = app
  const limit: number | undefined = conf.taskTimeLimit
  const expires: number | null = conf.resultExpires
  const reliability: 'celery' | 'safe' = conf.reliability
  const protocol: Settings['taskProtocol'] = 2
  const imports: readonly string[] = conf.imports
  conf.taskTimeLimit = undefined
  conf.brokerUrl = ['memory://']
  // @ts-expect-error it is always there
  conf.taskDefaultQueue = undefined
  // @ts-expect-error there is no such choice
  conf.reliability = 'sure'
  // @ts-expect-error seconds are a number
  conf.taskTimeLimit = '5'
  // @ts-expect-error there is no such setting
  conf.taskTimeLimti = 5
  // @ts-expect-error a list
  conf.imports = 'tasks'
  // @ts-expect-error an object
  conf.beatSchedule = []
  void [limit, expires, reliability, protocol, imports]
}

{
  const settings: SettingsInput = { task_time_limit: 5, CELERY_ACKS_LATE: true, leaseMs: 5 }
  // @ts-expect-error taskRoutes
  new Celery('types', { settings: { taskRoute: {} } })
  // @ts-expect-error task_routes
  new Celery('types', { settings: { task_route: {} } })
  app.conf.update({ task_publish_retry_policy: { max_retries: 1 }, result_expires: null, task_routes: null })
  app.conf.update({ result_backend_max_sleep_between_retries_ms: 5, s3_bucket: 'b' })
  // @ts-expect-error it is of seconds
  app.conf.update({ task_time_limit: '5' })
  // @ts-expect-error there is no such part
  app.conf.update({ task_publish_retry_policy: { max_retry: 1 } })
  // @ts-expect-error a program alone can say it
  app.conf.update({ taskPublishRetryPolicy: { retryErrors: () => true } })
  app.conf.update({ taskDefaultRateLimit: process.env['RATE'] ?? '10/m' })
  // @ts-expect-error a number or text
  app.conf.update({ taskDefaultRateLimit: true })
  // @ts-expect-error it is of seconds
  app.conf.update({ taskTimeLimit: '5' })
  app.addDefaults(settings)
  app.addDefaults(() => settings)
  // @ts-expect-error milliseconds are a number
  app.addDefaults({ leaseMs: 'long' })
  // @ts-expect-error also where a function gives them
  app.addDefaults(() => ({ leaseMs: 'long' }))
}

// `null` is none, where there can be none.
{
  const none: SettingsInput = { task_time_limit: null, worker_concurrency: null, task_default_rate_limit: null }
  app.conf.update({ ...none, timezone: null, taskTimeLimit: null, resultExpires: null })
  // @ts-expect-error true or false
  app.conf.update({ taskAcksLate: null })
  app.conf.update({ task_publish_retry_policy: { max_retries: null }, broker_pool_limit: null })
  // @ts-expect-error true or false
  app.conf.update({ task_acks_late: null })
  // @ts-expect-error there is always one
  app.conf.update({ task_default_queue: null })
  // @ts-expect-error a list
  app.conf.update({ accept_content: null })
  // @ts-expect-error a list
  app.conf.update({ imports: null })
  // @ts-expect-error an object
  app.conf.update({ task_publish_retry_policy: null })
  // @ts-expect-error seconds
  app.conf.update({ task_publish_retry_policy: { interval_start: null } })
}

{
  app.configFromObject({ leaseMs: 5 }, { namespace: 'CELERY', force: true })
  app.configFromObject(moduleOfSettings)
  const loaded: Promise<void> = app.configFromObject('./celery.config.js', { silent: true })
  const ofUrl: Promise<void> = app.configFromObject(new URL('file:///celery.config.js'))
  // @ts-expect-error an object is always there
  void app.configFromObject({ leaseMs: 5 }, { silent: true })
  // @ts-expect-error neither an object nor the name of one
  void app.configFromObject(5)
  // @ts-expect-error what an object gives is not waited for
  const ofObject: Promise<void> = app.configFromObject({ leaseMs: 5 })
  void [loaded, ofUrl, ofObject]
}

{
  app.autodiscoverTasks(['proj'])
  const found: Promise<void> = app.autodiscoverTasks(() => ['proj'], { force: true, relatedName: null })
  // @ts-expect-error a list
  app.autodiscoverTasks('proj')
  // @ts-expect-error only what is done now can be waited for
  const later: Promise<void> = app.autodiscoverTasks(['proj'])
  void [found, later]
}

{
  const add = sharedTask('add', (x: number, y: number) => x + y, { params: ['x', 'y'] })
  void add.delay(1, 2)
  // @ts-expect-error both are numbers
  void add.delay('1', 2)
  // @ts-expect-error a name for each parameter
  sharedTask('add', (x: number, y: number) => x + y, { params: ['x'] })
}

{
  class Add {
    run(x: number, y: number): number {
      return x + y
    }
  }
  const add = app.registerTask(Add, import.meta.url)
  void add.delay(1, 2)
  const text: string = app.registerTask({ name: 'show', run: (n: number) => `${n}` })(1)
  // @ts-expect-error both are numbers
  void add.delay('1', 2)
  // @ts-expect-error an option of another type
  app.registerTask({ name: 'x', acksLate: 'yes', run: () => 0 })
  void text
}
