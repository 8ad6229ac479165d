import { closestName } from '@celery/promises'
import { camelCase, isOldStyle } from './name-spelling.ts'
import { type SettingName, settingDefinitions } from './settings.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

export function isSetting(name: string): name is SettingName {
  return Object.hasOwn(settingDefinitions, name)
}

/**
 * The setting that a name means, in any spelling: `taskAcksLate`, `task_acks_late`, `CELERY_ACKS_LATE`. `declared` are the
 * names of plug-ins.
 * @throws ImproperlyConfiguredError for one that nobody knows, with the nearest one.
 */
export function settingName(name: string, declared: ReadonlySet<string>): string {
  for (const candidate of isOldStyle(name) ? [...newNames(name), camelCase(name)] : [camelCase(name)]) {
    if (isSetting(candidate) || declared.has(candidate)) return candidate
  }
  const closest = closestName(camelCase(name), [...Object.keys(settingDefinitions), ...declared])
  const hint = closest === undefined ? 'see the list of settings in the documentation' : `did you mean ${closest}?`
  throw new ImproperlyConfiguredError(name, `there is no setting "${name}"; ${hint}`)
}

/** Names of Celery 3 that do not follow from today's by a rule. */
const renamed: Readonly<Record<string, SettingName>> = {
  CELERYD_TASK_SOFT_TIME_LIMIT: 'taskSoftTimeLimit',
  CELERYD_TASK_TIME_LIMIT: 'taskTimeLimit',
  CELERYD_WORKER_LOST_WAIT: 'workerLostWait',
  CELERY_DISABLE_RATE_LIMITS: 'workerDisableRateLimits',
  CELERY_EAGER_PROPAGATES_EXCEPTIONS: 'taskEagerPropagates',
  CELERY_ENABLE_REMOTE_CONTROL: 'workerEnableRemoteControl',
  CELERY_MAX_CACHED_RESULTS: 'resultCacheMax',
  CELERY_MESSAGE_COMPRESSION: 'taskCompression',
  CELERY_REDIRECT_STDOUTS: 'workerRedirectStdouts',
  CELERY_REDIRECT_STDOUTS_LEVEL: 'workerRedirectStdoutsLevel',
  CELERY_RESULT_DBURI: 'databaseUrl',
  CELERY_RESULT_DB_SHORT_LIVED_SESSIONS: 'databaseShortLivedSessions',
  CELERY_RESULT_DB_TABLENAMES: 'databaseTableNames',
  CELERY_RESULT_ENGINE_OPTIONS: 'databaseEngineOptions',
  CELERY_SEND_EVENTS: 'workerSendTaskEvents',
  CELERY_SEND_TASK_SENT_EVENT: 'taskSendSentEvent',
  CELERY_TASK_RESULT_EXPIRES: 'resultExpires',
}

/** What a name of Celery 3 may be called today, likeliest first. */
function* newNames(name: string): Iterable<string> {
  const exact = Object.hasOwn(renamed, name) ? renamed[name] : undefined
  if (exact !== undefined) yield exact
  if (name.startsWith('CELERY_')) {
    yield camelCase(name.slice('CELERY_'.length))
    yield camelCase(`task_${name.slice('CELERY_'.length)}`)
  }
  if (name.startsWith('CELERYD_')) yield camelCase(`worker_${name.slice('CELERYD_'.length)}`)
  if (name.startsWith('CELERYBEAT_')) yield camelCase(`beat_${name.slice('CELERYBEAT_'.length)}`)
}
