import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FileIdentity, refuseNetworkFileSystem } from './file-identity.ts'

const unreachable = { code: 'ERR_CELERY_DATABASE_UNAVAILABLE', reason: 'cannot-open' }

/** A file that is away for a moment must be told apart from a mistake: who waits for it tries again. */
describe('a file that cannot be reached', () => {
  test.runIf(process.platform === 'linux')('has no file system that could be refused', async () => {
    const path = join(await temporaryFolder(), 'file.db')
    expect(() => refuseNetworkFileSystem(path)).toThrow(expect.objectContaining({ ...unreachable, path }))
  })

  test('has no identity', async () => {
    const path = join(await temporaryFolder(), 'file.db')
    expect(() => new FileIdentity(path)).toThrow(expect.objectContaining({ ...unreachable, path }))
  })

  test.runIf(process.platform !== 'win32')('is not the file that it was', async () => {
    const path = join(await temporaryFolder(), 'file.db')
    await writeFile(path, '')
    const identity = new FileIdentity(path)
    identity.check()
    await rename(path, `${path}.moved`)
    expect(() => identity.check()).toThrow(expect.objectContaining({ reason: 'moved', path }))
    await symlink(path, path)
    expect(() => identity.check()).toThrow(expect.objectContaining({ ...unreachable, path }))
  })
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-identity-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}
