import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, utimesSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { HealthSource } from './health-answer.ts'
import type { HealthReport } from './health-report.ts'
import { HealthServer } from './health-server.ts'

const report: HealthReport = {
  node: 'celery@host',
  pid: 7,
  state: 'running',
  ready: true,
  live: true,
  reasons: [],
  startedAt: '2030-01-01T00:00:00.000Z',
  broker: { address: 'memory://', connected: true, losses: 0 },
  pool: { name: 'async', size: 2, healthy: true, stuck: 0 },
  queues: ['celery'],
  active: 0,
  processed: 0,
  consumedAt: null,
}

async function listen(source: Partial<HealthSource> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'celery-health-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const server = new HealthServer({
    source: { notLive: async () => undefined, report: async () => report, metrics: async () => 'x 1\n', ...source },
    place: { folder, node: 'celery@host' },
    port: 0,
    host: '127.0.0.1',
  })
  onTestFinished(() => server.stop())
  const { path, url = '' } = await server.start()
  const ask = async (page: string, init?: RequestInit) => {
    const response = await fetch(url + page, init)
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.text(),
      headers: response.headers,
    }
  }
  return { ask, path, server, url }
}

/** What the server answers to these bytes, until it closes the connection. */
async function answerTo(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(bytes)
  return await text(socket).catch(() => '')
}

const blocked = { code: 'blocked', message: 'the main loop has been blocked for 61 s by task spin[1]' } as const

test('says that all is well with 200, in JSON or for Prometheus', async () => {
  const { ask } = await listen()
  expect(await ask('/live')).toMatchObject({ status: 200, type: 'application/json', body: '{"live":true}\n' })
  expect(await ask('/ready?verbose')).toMatchObject({
    status: 200,
    body: '{"ready":true,"state":"running","reasons":[]}\n',
  })
  expect(await ask('/metrics')).toMatchObject({
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
    body: 'x 1\n',
  })
})

test('P-12 says what is wrong with 503 and the reasons', async () => {
  const { ask } = await listen({
    notLive: async () => blocked,
    report: async () => ({ ...report, ready: false, live: false, reasons: [blocked] }),
  })
  expect(await ask('/live')).toMatchObject({
    status: 503,
    body: `${JSON.stringify({ live: false, reasons: [blocked] })}\n`,
  })
  expect(await ask('/ready')).toMatchObject({
    status: 503,
    body: `${JSON.stringify({ ready: false, state: 'running', reasons: [blocked] })}\n`,
  })
})

test('a source that fails is 500 without a word of why', async () => {
  const { ask } = await listen({ report: () => Promise.reject(new Error('secret')) })
  const answer = await ask('/ready')
  expect(answer.status).toBe(500)
  expect(answer.body).not.toContain('secret')
})

test('answers GET and HEAD of the pages that there are, and nothing else', async () => {
  const { ask } = await listen()
  for (const page of ['/', '/report', '/live/', '/constructor', '//live'])
    expect(await ask(page), page).toMatchObject({ status: 404 })
  const refused = await ask('/ready', { method: 'POST', body: 'x'.repeat(100_000) }).catch(() => undefined)
  // The connection may be closed before all of the body was sent, which nobody reads.
  if (refused !== undefined) expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  expect(await ask('/ready', { method: 'DELETE' })).toMatchObject({ status: 405 })
  expect(await ask('/ready', { method: 'HEAD' })).toMatchObject({ status: 200, body: '', type: 'application/json' })
})

test('the whole report is for the own user alone, on the socket', async () => {
  const { path } = await listen()
  const asked = request({ socketPath: path, path: '/report' })
  asked.end()
  const [response] = await once(asked, 'response')
  expect(JSON.parse(await text(response))).toEqual(report)
})

test.each([
  ['headers without end', `GET /ready HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}`],
  ['what is no HTTP', '\0\x01\x02 nonsense\r\n\r\n'],
  ['a method without a page', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'],
])('%s ends the connection, and the next is answered', async (_what, bytes) => {
  const { ask, url } = await listen()
  expect(await answerTo(url, bytes)).not.toContain('200')
  expect(await ask('/live')).toMatchObject({ status: 200 })
})

test('closes the connection after an answer, whatever else was sent on it', async () => {
  const { url } = await listen()
  const one = 'GET /live HTTP/1.1\r\nHost: x\r\n\r\n'
  const answer = await answerTo(url, one + one + one)
  expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1)
  const continued = await answerTo(
    url,
    'POST /live HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
  )
  expect(continued).toMatch(/^HTTP\/1\.1 405 /)
})

test('no more than 32 connections are kept', async () => {
  const { url } = await listen()
  const sockets = Array.from({ length: 40 }, () =>
    connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {}),
  )
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  const dropped = sockets.map((socket) => once(socket, 'close'))
  for (let count = 0; count < 8; count++) {
    const index = await Promise.race(dropped.map((closed, each) => closed.then(() => each)))
    dropped.splice(index, 1)
  }
  expect(dropped).toHaveLength(32)
})

test('a port that is taken is told, with what to do; a socket that cannot be had is no more than a problem', async () => {
  const { url } = await listen()
  const port = Number(new URL(url).port)
  const source: HealthSource = { notLive: async () => undefined, report: async () => report, metrics: async () => '' }
  const second = new HealthServer({ source, place: undefined, port, host: '127.0.0.1' })
  await expect(second.start()).rejects.toThrow(
    new RegExp(
      `^cannot use 127\\.0\\.0\\.1:${port} for the worker's health: .*EADDRINUSE.*; choose another with healthPort and healthHost \\(--health-port and --health-host\\)$`,
    ),
  )
  const third = new HealthServer({ source, place: { folder: '/dev/null/x', node: 'a@b' }, port: 0, host: '127.0.0.1' })
  onTestFinished(() => third.stop())
  expect(await third.start()).toMatchObject({ path: undefined, problem: expect.stringContaining('CELERY_RUNTIME_DIR') })
})

test('ends twice, and then nobody listens', async () => {
  const { ask, path, server } = await listen()
  await server.stop()
  await server.stop()
  await expect(ask('/live')).rejects.toThrow()
  expect(path).toBeDefined()
})

test('touches its own socket twice a day, so that nobody takes it for one that was left behind', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const { path = '' } = await listen()
  utimesSync(path, 1, 1)
  vi.advanceTimersByTime(12 * 60 * 60 * 1_000)
  while (statSync(path).mtimeMs === 1_000) await nextTurn()
  expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(60_000)
})
