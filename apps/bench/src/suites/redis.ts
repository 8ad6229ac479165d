import { BareLoop } from '../contestants/bare-loop.ts'
import { BullmqDrain } from '../contestants/bullmq-drain.ts'
import { BullmqPair } from '../contestants/bullmq-pair.ts'
import { CeleryPair, type CeleryPairOptions } from '../contestants/celery-pair.ts'
import { PythonDrain } from '../contestants/python-drain.ts'
import { PythonSending } from '../contestants/python-sending.ts'
import { RedisDrain, type RedisDrainOptions } from '../contestants/redis-drain.ts'
import { RoundTrips } from '../contestants/round-trips.ts'
import { Sending, type SendingOptions } from '../contestants/sending.ts'
import type { ContestantEntry, Peer, RowPlan, Suite } from '../suite.ts'
import { nodePackageVersions, pythonVersions, redisVersions, whyWithoutPython, whyWithoutRedis } from './versions.ts'

/** Makes an envelope of about 900 bytes, nearly all of which is there without any argument. */
const padding = 'x'.repeat(60)
const envelopeBytes = 900

/** Of the async pool, as many as BullMQ's worker has. */
const slots = 50

/** Queue and results in a Redis, beside others that do the same. */
export const redis: Suite = {
  name: 'redis',
  title: 'queue and results in a Redis, beside BullMQ and Python Celery',
  contestants: [
    sending({ name: 'raw-sending', entry: 'raw-sender', argument: { payloadBytes: envelopeBytes } }),
    sending({ name: 'sending', entry: 'task-sender', argument: { padding } }),
    sending({ name: 'bullmq-sending', entry: 'bullmq-client', argument: { padding, results: false } }),
    ofPython('python-sending', (name) => (options) => new PythonSending(options, { name, padding })),
    of('bare', () => (options) => new BareLoop(options, padding)),
    drain({ name: 'async', pool: 'async', concurrency: slots, results: false }),
    drain({ name: 'prefork', pool: 'prefork', concurrency: 2, results: false }),
    of('bullmq', (name) => (options) => new BullmqDrain(options, { name, padding, results: false })),
    ofPython('python', (name) => (options) => new PythonDrain(options, { name, padding, results: false })),
    drain({ name: 'async-results', pool: 'async', concurrency: slots, results: true }),
    drain({ name: 'prefork-results', pool: 'prefork', concurrency: 2, results: true }),
    of('bullmq-results', (name) => (options) => new BullmqDrain(options, { name, padding, results: true })),
    ofPython('python-results', (name) => (options) => new PythonDrain(options, { name, padding, results: true })),
    calls('calls', { client: 'ours', worker: 'ours', args: ['--concurrency=2'] }),
    calls('calls-async', { client: 'ours', worker: 'ours', args: ['--pool=async', `--concurrency=${slots}`] }),
    calls('python-to-ours', { client: 'python', worker: 'ours', args: ['--concurrency=2'] }),
    of('bullmq-calls', (name) => (options) => {
      const { cpuProfileFolder } = options
      return new RoundTrips(options, name, new BullmqPair({ padding, results: true, cpuProfileFolder }))
    }),
    calls('python-calls', { client: 'python', worker: 'python', args: ['--concurrency=2'] }),
  ],
  rows: [
    sendingRow('sending one by one', 'oneByOneRate', [
      { contestant: 'raw-sending', atLeast: 0.7 },
      { contestant: 'bullmq-sending' },
      { contestant: 'python-sending' },
    ]),
    sendingRow('sending, 1,000 at a time', 'inFlightRate', [
      { contestant: 'bullmq-sending', atLeast: 1.2 },
      { contestant: 'python-sending', atLeast: 8 },
      { contestant: 'raw-sending' },
    ]),
    drainRow('drain, async pool', 'async', [
      { contestant: 'bullmq', atLeast: 2, better: 3 },
      { contestant: 'bare', atLeast: 0.7 },
      { contestant: 'python' },
    ]),
    drainRow('drain, prefork 2', 'prefork', [
      { contestant: 'python', atLeast: 8, better: 12 },
      { contestant: 'bullmq' },
      { contestant: 'bare' },
    ]),
    drainRow('drain with results, async pool', 'async-results', [
      { contestant: 'bullmq-results', atLeast: 1.5 },
      { contestant: 'python-results', atLeast: 12 },
    ]),
    drainRow('drain with results, prefork 2', 'prefork-results', [
      { contestant: 'bullmq-results' },
      { contestant: 'python-results' },
    ]),
    processorRow('async pool', 'async', ['bare', 'bullmq']),
    processorRow('with results, async pool', 'async-results', ['bullmq-results']),
    serverRow('async pool', 'async', ['bare', 'bullmq']),
    serverRow('with results, async pool', 'async-results', ['bullmq-results']),
    ...callRows('prefork 2', 'calls', ['python-calls', 'bullmq-calls']),
    ...callRows('async pool', 'calls-async', ['bullmq-calls']),
    ...callRows("Python's client, prefork 2", 'python-to-ours', ['python-calls']),
  ],
  async versions() {
    return { ...redisVersions(), ...nodePackageVersions('bullmq', 'ioredis'), ...pythonVersions() }
  },
}

function of(name: string, create: (name: string) => ContestantEntry['create']): ContestantEntry {
  return { name, missing: whyWithoutRedis, create: create(name) }
}

function ofPython(name: string, create: (name: string) => ContestantEntry['create']): ContestantEntry {
  return { name, missing: whyWithoutPython, create: create(name) }
}

function sending(settings: SendingOptions): ContestantEntry {
  return of(settings.name, () => (options) => new Sending(options, settings))
}

function drain(settings: Omit<RedisDrainOptions, 'padding'>): ContestantEntry {
  return of(settings.name, () => (options) => new RedisDrain(options, { ...settings, padding }))
}

function calls(name: string, pair: CeleryPairOptions): ContestantEntry {
  const entry = pair.client === 'python' || pair.worker === 'python' ? ofPython : of
  return entry(name, () => (options) => new RoundTrips(options, name, new CeleryPair(pair)))
}

type PeerOf = Omit<Peer, 'metric'>

function sendingRow(name: string, metric: string, peers: readonly PeerOf[]): RowPlan {
  return row(name, 'tasks/s', 'sending', metric, peers)
}

function drainRow(name: string, contestant: string, peers: readonly PeerOf[]): RowPlan {
  return row(name, 'tasks/s', contestant, 'rate', peers)
}

function processorRow(name: string, contestant: string, peers: readonly string[]): RowPlan {
  return row(`processor time per task, ${name}`, 'µs', contestant, 'processorMicros', peers.map(named))
}

function serverRow(name: string, contestant: string, peers: readonly string[]): RowPlan {
  return row(`Redis's processor time per task, ${name}`, 'µs', contestant, 'serverMicros', peers.map(named))
}

function callRows(name: string, contestant: string, peers: readonly string[]): RowPlan[] {
  return [
    row(`idle round trip, ${name}, median`, 'ms', contestant, 'p50', peers.map(named)),
    row(`idle round trip, ${name}, 99th percentile`, 'ms', contestant, 'p99', peers.map(named)),
  ]
}

function named(contestant: string): PeerOf {
  return { contestant }
}

function row(name: string, unit: string, contestant: string, metric: string, peers: readonly PeerOf[]): RowPlan {
  return { name, unit, ours: { contestant, metric }, peers: peers.map((peer) => ({ ...peer, metric })) }
}
