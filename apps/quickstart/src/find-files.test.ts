import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findFiles } from './find-files.ts'

test('finds regular files at any depth, and nothing that tools have made', async () => {
  const folder = await temporaryFolder()
  for (const name of ['a', 'b/c', 'b/d/e', 'node_modules/x', 'b/dist/y']) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), name)
  }
  const { files, unreadable } = await findFiles(folder)
  expect([...files].sort()).toEqual(['a', 'b/c', 'b/d/e'].map((name) => join(folder, name)))
  expect(unreadable).toEqual([])
})

test('leaves out links and what only looks like a file', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'file'), '')
  await symlink(join(folder, 'nowhere'), join(folder, 'dangling'))
  await symlink(folder, join(folder, 'circle'))
  const server = createServer().listen(join(folder, 'socket'))
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  expect((await findFiles(folder)).files).toEqual([join(folder, 'file')])
})

test('rejects where the folder itself is not there', async () => {
  await expect(findFiles(join(await temporaryFolder(), 'nowhere'))).rejects.toMatchObject({ code: 'ENOENT' })
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-find-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}
