import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { isMissing, startPythonCeleryWorker, startRedis } from '../src/index.ts'

const appSource = `
from celery import Celery
app = Celery('tasks')

@app.task(name='tasks.greet')
def greet(name):
    print('hello ' + name)
`

describe.skipIf(isMissing('redis', 'python-celery'))('a worker of Python Celery', () => {
  test('runs the tasks that its broker holds, and ends when it is closed', async () => {
    await using redis = await startRedis()
    await using worker = await startPythonCeleryWorker({
      appSource,
      broker: redis.url,
      backend: redis.url,
      args: ['--concurrency=1'],
    })
    expect(worker.nodeName).toMatch(/^test-[0-9a-f]{8}@/)
    const socket = connect(redis.port, redis.host)
    const message = JSON.stringify(taskMessage('tasks.greet', ['world']))
    socket.write(`*3\r\n$5\r\nLPUSH\r\n$6\r\ncelery\r\n$${Buffer.byteLength(message)}\r\n${message}\r\n`)
    await worker.waitForOutput(/hello world/)
    socket.destroy()
    await worker.close()
    expect(() => process.kill(worker.pid, 0)).toThrow('ESRCH')
  })

  test('says why it does not start', async () => {
    const broken = startPythonCeleryWorker({ appSource: 'import no_such_module', broker: 'memory://' })
    await expect(broken).rejects.toThrow('no_such_module')
  })
})

/** A message as the original puts it into a Redis list. */
function taskMessage(task: string, args: readonly unknown[]): object {
  const id = '6d4b4a1e-0000-4000-8000-000000000001'
  const body = JSON.stringify([args, {}, { callbacks: null, errbacks: null, chain: null, chord: null }])
  return {
    body: Buffer.from(body).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: { lang: 'py', task, id, root_id: id, parent_id: null, group: null },
    properties: {
      correlation_id: id,
      delivery_mode: 2,
      delivery_info: { exchange: '', routing_key: 'celery' },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: '6d4b4a1e-0000-4000-8000-000000000002',
    },
  }
}
