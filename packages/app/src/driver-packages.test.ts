import { describe, expect, test } from 'vitest'
import { backendPackages, importBackend, importTransport, transportPackages } from './driver-packages.ts'
import { DriverMissingError } from './setup-errors.ts'

describe('a driver', () => {
  test('is imported from the packages of the application', async () => {
    const root = process.cwd()
    expect(await importTransport(packageOf(transportPackages, 'memory'), 'memory', root)).toMatchObject({
      name: 'memory',
    })
    expect(await importBackend(packageOf(backendPackages, 'memory'), 'memory', root)).toMatchObject({ name: 'memory' })
  })

  test.each([importTransport, importBackend])('that is not installed is named, with what to do', async (load) => {
    const missing = { package: '@celery/transport-of-tomorrow', export: 'tomorrow' }
    const error = await load(missing, 'tomorrow', process.cwd()).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(DriverMissingError)
    expect(error).toMatchObject({
      code: 'ERR_CELERY_DRIVER_MISSING',
      package: '@celery/transport-of-tomorrow',
      message:
        'tomorrow:// needs the package @celery/transport-of-tomorrow, which is not installed; ' +
        'run: npm install @celery/transport-of-tomorrow',
      cause: expect.objectContaining({ code: 'MODULE_NOT_FOUND' }),
    })
  })
})

function packageOf<T>(packages: Readonly<Record<string, T>>, scheme: string): T {
  const found = packages[scheme]
  if (found === undefined) throw new Error(`nothing serves ${scheme}`)
  return found
}
