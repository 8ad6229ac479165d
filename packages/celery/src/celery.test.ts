import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as appPackage from '@celery/app'
import { backendPackages, transportPackages } from '@celery/app/internal'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import * as whole from './index.ts'

const { Celery, CeleryError } = whole

describe('the drivers of this package', () => {
  // From an empty folder none of them can be found; they come with `celery` itself.
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'celery-drivers-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const path = (scheme: string) => (scheme.includes('sqlite') ? `/${root}/queue.db` : '')
  const app = (broker: string, backend: string) => {
    const made = new Celery('drivers', { root, broker, backend })
    onTestFinished(() => made.close())
    return made
  }

  test.each(ours(transportPackages))('serve the broker %s://', async (scheme) => {
    await expect(app(`${scheme}://${path(scheme)}`, 'memory://').sendTask('t')).resolves.toBeDefined()
  })

  test.each(ours(backendPackages))('serve the result store %s://', async (scheme) => {
    const made = app('memory://', `${scheme}://${path(scheme)}`)
    expect(await made.asyncResult('nothing').state()).toBe('PENDING')
  })
})

/** The schemes of drivers that come with this package; the others need a server, too. */
function ours(drivers: typeof transportPackages): string[] {
  const manifest = new URL('../package.json', import.meta.url)
  const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies: Record<string, string> }
  return Object.keys(drivers).filter((scheme) => (drivers[scheme]?.package ?? '') in dependencies)
}

describe('what is exported', () => {
  test('holds every error that the application throws', () => {
    const errors = Object.entries(appPackage).filter(([, value]) => isErrorClass(value))
    expect(errors.length).toBeGreaterThan(10)
    for (const [name, error] of errors) expect(whole).toHaveProperty(name, error)
  })

  test('lets a user catch what a call may reject with', async () => {
    const app = new Celery('closed', { broker: 'memory://', backend: 'memory://' })
    await app.close()
    const error = await app.sendTask('t').catch((caught: unknown) => caught)
    expect(CeleryError.is(error, 'ERR_CELERY_APP_CLOSED')).toBe(true)
    expect(error).toBeInstanceOf(whole.AppClosedError)
  })
})

function isErrorClass(value: unknown): boolean {
  return typeof value === 'function' && value.prototype instanceof CeleryError
}
