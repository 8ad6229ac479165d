import { afterEach, describe, expect, test, vi } from 'vitest'
import { MissingServerError } from './errors.ts'

/** The module anew, so that what it found on another PATH is forgotten. */
async function load(): Promise<typeof import('./servers.ts')> {
  vi.resetModules()
  return await import('./servers.ts')
}

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

// Redis is looked for in the sbin folders as well, where Debian does not put it.
describe('where redis-server is not on PATH', () => {
  test('the tests that need it are skipped with a message, once', async () => {
    vi.stubEnv('PATH', '/nowhere')
    vi.stubEnv('CI', '')
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const { isMissing } = await load()
    expect(isMissing('redis')).toBe(true)
    expect(isMissing('redis')).toBe(true)
    expect(warn.mock.calls).toEqual([['skipped: Redis is not installed (npm run setup:servers)']])
  })

  test('CI fails instead', async () => {
    vi.stubEnv('PATH', '/nowhere')
    vi.stubEnv('CI', '1')
    const { isMissing } = await load()
    expect(() => isMissing('redis')).toThrow('apt-get install --no-install-recommends redis-server')
  })

  test('requiring it says how to install it', async () => {
    vi.stubEnv('PATH', '/nowhere')
    const { requireServer } = await load()
    expect(() => requireServer('redis')).toThrow(expect.objectContaining({ code: 'ERR_CELERY_MISSING_SERVER' }))
    expect(new MissingServerError('redis', 'Redis', ['redis-server']).message).toContain('npm run setup:servers')
  })
})
