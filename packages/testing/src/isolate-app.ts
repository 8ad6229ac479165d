import { type AppOptions, Celery } from '@celery/app'
import { type IsolateOptions, TestApp } from './test-app.ts'

export interface TestAppOptions extends AppOptions, IsolateOptions {
  /** Of the app. @defaultValue `'test'` */
  readonly name?: string
}

/**
 * Puts an app of yours on a broker and a store in memory for the time of a test, so that modules which import it and its
 * tasks are tested as they are. Nothing of it reaches the broker and the store that its settings name.
 * @throws ImproperlyConfiguredError where the app is under test already
 */
export function isolateApp(app: Celery, options: IsolateOptions = {}): TestApp {
  return new TestApp(app, options)
}

/**
 * A new app in memory, which is closed with its test. It does not become the current app unless asked to.
 */
export function createTestApp({ clock, name = 'test', settings, ...options }: TestAppOptions = {}): TestApp {
  const app = new Celery(name, { setAsCurrent: false, ...options })
  return new OwnTestApp(app, {
    ...(clock === undefined ? undefined : { clock }),
    ...(settings === undefined ? undefined : { settings }),
  })
}

/** Of an app that nobody else uses. */
class OwnTestApp extends TestApp {
  override async close(): Promise<void> {
    try {
      await super.close()
    } finally {
      await this.app.close()
    }
  }
}
