import type { WorkerContext } from '../worker-context.ts'
import type { HealthReport } from './health-report.ts'
import { MetricsText, type Sample } from './metrics-text.ts'
import { runtimeBounds, type TaskCounts } from './task-metrics.ts'
import type { WorkerVitals } from './worker-vitals.ts'

/** What is counted of tasks. */
const counters = [
  ['received', 'Tasks received.'],
  ['started', 'Tasks started.'],
  ['succeeded', 'Tasks that succeeded.'],
  ['failed', 'Tasks that failed, were lost with their process, or ran over their hard time limit.'],
  ['retried', 'Tasks that are to run again.'],
  ['rejected', 'Tasks that rejected their message.'],
  ['ignored', 'Tasks that ended without a result.'],
  ['revoked', 'Tasks that expired before they started.'],
] as const

/** The numbers of a worker, in the text format of Prometheus. Counters are those of the process and begin at 0 with it. */
export function workerMetrics(worker: WorkerContext, vitals: WorkerVitals, report: HealthReport): string {
  const text = new MetricsText({ hostname: report.node })
  const tasks = [...vitals.tasks.entries()]
  for (const [field, help] of counters) {
    const samples = tasks.map(([name, counts]) => ({ labels: { name }, value: counts[field] }))
    text.add(`celery_task_${field}_total`, 'counter', help, samples)
  }
  text.add(
    'celery_task_runtime_seconds',
    'histogram',
    'How long tasks ran.',
    tasks.flatMap(([name, counts]) => [...histogram(name, counts)]),
  )
  const { broker, pool } = report
  const memory = process.memoryUsage()
  const { dispatcher, outcomes } = worker
  return text
    .counter(
      'celery_worker_messages_refused_total',
      'Messages given to the dead letters before a task ran.',
      vitals.tasks.refused,
    )
    .counter('celery_worker_tasks_processed_total', 'Tasks ended.', report.processed)
    .gauge('celery_worker_ready', 'Whether the worker takes messages and can run tasks.', Number(report.ready))
    .add('celery_worker_not_ready_reason', 'gauge', 'Why it is not ready.', reasonSamples(report))
    .gauge('celery_worker_tasks_active', 'Tasks received and not ended.', report.active)
    .gauge('celery_worker_room', 'Messages that could be taken now.', Math.max(0, dispatcher?.room ?? 0))
    .gauge('celery_worker_pool_size', 'Tasks run at the same time at most.', pool.size)
    .gauge('celery_worker_pool_healthy', 'Whether the pool can run tasks.', Number(pool.healthy))
    .gauge('celery_worker_pool_stuck', 'Slots taken by tasks that cannot be stopped.', pool.stuck)
    .gauge('celery_worker_writes_pending', 'Settlements and results on their way.', outcomes?.pending ?? 0)
    .gauge('celery_worker_broker_connected', 'Whether there is a connection to the broker.', Number(broker.connected))
    .counter('celery_worker_broker_losses_total', 'Times that consuming was broken off by an error.', broker.losses)
    .gauge(
      'celery_worker_event_loop_lag_seconds',
      'Longest delay of the main loop in the last 10 to 20 s.',
      Math.max(0, vitals.beat.lagMs) / 1_000,
    )
    .counter(
      'celery_worker_event_loop_active_seconds_total',
      'Time that the main loop was at work.',
      performance.eventLoopUtilization().active / 1_000,
    )
    .counter('process_cpu_seconds_total', 'Processor time of the process, without pool processes.', cpuSeconds())
    .gauge('process_start_time_seconds', 'Start of the process, since 1970.', performance.timeOrigin / 1_000)
    .gauge('process_resident_memory_bytes', 'Resident memory of the process, without pool processes.', memory.rss)
    .gauge('nodejs_heap_size_used_bytes', 'Used heap of the main thread.', memory.heapUsed)
    .gauge('nodejs_external_memory_bytes', 'Memory outside of the heap that objects hold.', memory.external)
    .toString()
}

function* histogram(name: string, counts: Readonly<TaskCounts>): Iterable<Sample> {
  let sum = 0
  for (const [index, bound] of runtimeBounds.entries()) {
    sum += counts.runtimes[index] ?? 0
    yield { suffix: '_bucket', labels: { name, le: String(bound) }, value: sum }
  }
  yield { suffix: '_bucket', labels: { name, le: '+Inf' }, value: counts.runtimeCount }
  yield { suffix: '_sum', labels: { name }, value: counts.runtimeSum }
  yield { suffix: '_count', labels: { name }, value: counts.runtimeCount }
}

function reasonSamples({ reasons }: HealthReport): readonly Sample[] {
  return [...new Set(reasons.map(({ code }) => code))].map((reason) => ({ labels: { reason }, value: 1 }))
}

function cpuSeconds(): number {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}
