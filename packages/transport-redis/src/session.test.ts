import { expect, test } from 'vitest'
import { joinSession, leaveSession } from './session.ts'

test('a session that goes on is the same for the next connection', () => {
  const session = joinSession('goes-on')
  session.reserve(1)
  leaveSession(session, true)
  expect(joinSession('goes-on')).toBe(session)
})

test('a session that is over is forgotten with its last connection', () => {
  const session = joinSession('over')
  joinSession('over').reserve(1)
  leaveSession(session, false)
  // Its numbers must not begin anew while somebody uses them.
  expect(joinSession('over')).toBe(session)
  leaveSession(session, false)
  leaveSession(session, true)
  expect(joinSession('over')).not.toBe(session)
})

test('a session that was never used is forgotten, also where it might go on', () => {
  const session = joinSession('unused')
  leaveSession(session, true)
  expect(joinSession('unused')).not.toBe(session)
})
