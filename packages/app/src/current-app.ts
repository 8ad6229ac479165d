import { CeleryApp } from './celery-app.ts'
import { findCurrentApp, setDefaultApp } from './process-apps.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

/**
 * The app that `app.run()` is running in, else the one made last, else the one of `app.setDefault()`, else one named
 * `default`, made now and configured by the environment alone. For code that cannot be handed its app; hand it over where
 * you can. With `C_STRICT_APP` set in the environment it is an error, with `C_WARN_APP` a warning, with the stack.
 */
export function currentApp(): CeleryApp {
  const { C_STRICT_APP: strict, C_WARN_APP: warn } = process.env
  if (isOn(strict) || isOn(process.env.CELERY_TRACE_APP)) {
    throw new ImproperlyConfiguredError(
      'C_STRICT_APP',
      'the current app is used where an app should have been handed over',
    )
  }
  if (isOn(warn)) {
    process.emitWarning(new Error('the current app is used where an app should have been handed over'))
  }
  return findCurrentApp() ?? makeDefaultApp()
}

/** `app`, else the current one. */
export function appOrDefault(app?: CeleryApp): CeleryApp {
  return app ?? currentApp()
}

function makeDefaultApp(): CeleryApp {
  const app = new CeleryApp('default', { setAsCurrent: false })
  setDefaultApp(app)
  return app
}

function isOn(variable: string | undefined): boolean {
  return variable !== undefined && variable !== '' && variable !== '0'
}
