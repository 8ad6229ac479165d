import { CommandLineWorker } from '../contestants/command-line-worker.ts'
import { Drain, type DrainOptions } from '../contestants/drain.ts'
import { PythonDrain } from '../contestants/python-drain.ts'
import { RawLoop } from '../contestants/raw-loop.ts'
import type { ContestantEntry, RowPlan, Suite } from '../suite.ts'
import { pythonVersions, sqliteVersions, whyWithoutPython } from './versions.ts'

/** Makes an envelope of about 900 bytes, nearly all of which is there without any argument. */
const padding = 'x'.repeat(60)
const envelopeBytes = 900

const raw = { contestant: 'raw', metric: 'rate' }
const python = { contestant: 'python', metric: 'rate' }

/** The embedded broker and result store: one file, no server. */
export const embedded: Suite = {
  name: 'embedded',
  title: 'queue and results in one local file',
  contestants: [
    { name: 'raw', create: (options) => new RawLoop(options, envelopeBytes) },
    drain({ name: 'async', pool: 'async', concurrency: 100, results: false }),
    drain({ name: 'prefork', pool: 'prefork', concurrency: 2, results: false }),
    drain({ name: 'async-results', pool: 'async', concurrency: 100, results: true }),
    drain({ name: 'prefork-results', pool: 'prefork', concurrency: 2, results: true }),
    {
      name: 'python',
      missing: whyWithoutPython,
      create: (options) => new PythonDrain(options, { name: 'python', padding, results: false }),
    },
    { name: 'worker', create: (options) => new CommandLineWorker(options) },
  ],
  rows: [
    {
      name: 'drain, async pool',
      unit: 'tasks/s',
      ours: { contestant: 'async', metric: 'rate' },
      peers: [
        { ...raw, atLeast: 0.5 },
        { ...python, atLeast: 6 },
      ],
    },
    {
      name: 'drain, prefork 2',
      unit: 'tasks/s',
      ours: { contestant: 'prefork', metric: 'rate' },
      peers: [
        { ...raw, atLeast: 0.35 },
        { ...python, atLeast: 6 },
      ],
    },
    {
      name: 'drain with results, async pool',
      unit: 'tasks/s',
      ours: { contestant: 'async-results', metric: 'rate' },
      peers: [raw],
    },
    {
      name: 'drain with results, prefork 2',
      unit: 'tasks/s',
      ours: { contestant: 'prefork-results', metric: 'rate' },
      peers: [raw],
    },
    {
      name: 'processor time per task, async pool',
      unit: 'µs',
      ours: { contestant: 'async', metric: 'processorMicros' },
      peers: [{ contestant: 'raw', metric: 'processorMicros' }],
    },
    {
      name: 'processor time per task, parent of prefork 2',
      unit: 'µs',
      ours: { contestant: 'prefork', metric: 'processorMicros' },
      peers: [{ contestant: 'raw', metric: 'processorMicros' }],
    },
    {
      name: 'sending from one client',
      unit: 'tasks/s',
      ours: { contestant: 'async', metric: 'sendRate' },
      peers: [{ contestant: 'python', metric: 'sendRate' }],
    },
    ofWorker('start to ready, prefork 2', 'ms', 'readyMs', 500),
    ofWorker('idle round trip, median', 'ms', 'p50', 10),
    ofWorker('idle round trip, 99th percentile', 'ms', 'p99'),
    ofWorker('idle worker, resident', 'MiB', 'idleWorkerRss', 80),
    ofWorker('idle worker, proportional', 'MiB', 'idleWorkerPss'),
    ofWorker('idle child, resident', 'MiB', 'idleChildRss', 60),
    ofWorker('idle child, proportional', 'MiB', 'idleChildPss'),
    ofWorker('worker after the round trips, resident', 'MiB', 'usedWorkerRss'),
    ofWorker('child after the round trips, resident', 'MiB', 'usedChildRss'),
  ],
  async versions({ folder }) {
    return { ...(await sqliteVersions(folder)), ...pythonVersions() }
  },
}

function drain(settings: Omit<DrainOptions, 'padding' | 'envelopeBytes'>): ContestantEntry {
  return { name: settings.name, create: (options) => new Drain(options, { ...settings, padding, envelopeBytes }) }
}

function ofWorker(name: string, unit: string, metric: string, atMost?: number): RowPlan {
  return { name, unit, ours: { contestant: 'worker', metric }, ...(atMost === undefined ? {} : { atMost }) }
}
