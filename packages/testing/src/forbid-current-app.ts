/**
 * Makes it an error to use the current app (`currentApp()`, a shared task) instead of one that was handed over, here and in
 * processes started meanwhile, until what it returns is disposed. Celery's app trap.
 */
export function forbidCurrentApp(): Disposable {
  const before = process.env[variable]
  process.env[variable] = '1'
  return {
    [Symbol.dispose]: () => {
      if (before === undefined) delete process.env[variable]
      else process.env[variable] = before
    },
  }
}

const variable = 'C_STRICT_APP'
