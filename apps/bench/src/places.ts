import type { AppOptions } from 'celery'

/** A broker and a result store in one, for a client's `declareTasks` and for a worker's environment. */
export interface Place {
  /** The driver's name, which is the scheme of its URL too. */
  readonly transport: 'redis' | 'sqlite'
  readonly options: AppOptions
  readonly environment: Readonly<Record<string, string>>
}

/** In a file. */
export function embeddedIn(file: string): Place {
  return at('sqlite', `sqlite:///${file}`)
}

/** In a Redis. */
export function redisAt(url: string): Place {
  return at('redis', url)
}

function at(transport: Place['transport'], url: string): Place {
  return {
    transport,
    options: { broker: url, backend: url },
    environment: { CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url },
  }
}
