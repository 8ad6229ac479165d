import { ResultReader, type ResultSource } from '@celery/results'

/** Reads the results of an app. When that is closed, those who wait hear so from the app, as those do who send. */
export class AppResults extends ResultReader {
  readonly #appClosed: AbortSignal

  constructor(source: ResultSource, appClosed: AbortSignal) {
    super(source)
    this.#appClosed = appClosed
  }

  override get closing(): AbortSignal {
    return this.#appClosed
  }
}
