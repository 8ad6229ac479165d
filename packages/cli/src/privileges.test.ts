import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Celery } from '@celery/app'
import { expect, test } from 'vitest'
import { checkRoot, dropPrivileges } from './privileges.ts'

function accepting(...acceptContent: readonly string[]): Celery {
  const app = new Celery('test', { broker: 'memory://', notify: () => {} })
  app.conf.acceptContent = acceptContent
  return app
}

test('O-1 root is warned, others are not', () => {
  expect(checkRoot(accepting('json'), 0, {})).toContain('running as root')
  expect(checkRoot(accepting('json', 'pickle'), 1_000, {})).toBeUndefined()
  expect(checkRoot(accepting('json'), undefined, {})).toBeUndefined()
})

test.each(['pickle', 'application/x-python-serialize'])(
  'O-1 root is refused where %s is accepted, unless forced',
  (name) => {
    const app = accepting('json', name)
    expect(() => checkRoot(app, 0, {})).toThrow('refusing to run as root')
    expect(checkRoot(app, 0, { C_FORCE_ROOT: '1' })).toContain('running as root')
  },
)

test('WORK-030 a user or group that there is not is refused', () => {
  expect(() => dropPrivileges({ uid: 'nobody-of-that-name' })).toThrow('there is no user "nobody-of-that-name"')
  expect(() => dropPrivileges({ gid: 'nobody-of-that-name' })).toThrow('there is no group "nobody-of-that-name"')
})

// For good, so that it takes a process of its own; only root has something to give up.
test.runIf(process.getuid?.() === 0)('WORK-030 gives up root for the user and the group, for good', () => {
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const [user, , uid, gid] = accounts.find(([name, , id]) => name !== '' && Number(id) > 0) ?? []
  const become = (identity: object): unknown => {
    const privileges = new URL('../dist/privileges.js', import.meta.url).href
    const script = `
      import { dropPrivileges } from ${JSON.stringify(privileges)}
      dropPrivileges(${JSON.stringify(identity)})
      let refusal
      try { process.setuid(0) } catch (error) { refusal = error.code }
      const ids = [process.getuid(), process.geteuid(), process.getgid(), process.getegid()]
      console.log(JSON.stringify({ ids, hasGroupOfRoot: process.getgroups().includes(0), refusal }))`
    return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }))
  }
  const dropped = { ids: [Number(uid), Number(uid), Number(gid), Number(gid)], hasGroupOfRoot: false, refusal: 'EPERM' }
  expect(become({ uid: user })).toEqual(dropped)
  expect(become({ uid, gid })).toEqual(dropped)
})

test('nothing changes where none is given', () => {
  const before = process.getuid?.()
  dropPrivileges({})
  expect(process.getuid?.()).toBe(before)
})
