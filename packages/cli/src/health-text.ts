import type { HealthReport } from '@celery/worker/health-client'

/** The report in a few lines for people. @param now milliseconds since 1970 */
export function healthText(report: HealthReport, now: number): string {
  const { active, broker, consumedAt, node, pid, pool, processed, queues, ready, reasons, startedAt, state } = report
  const lines = [
    `${node}: ${ready ? 'ready' : 'not ready'}`,
    ...reasons.map(({ code, message }) => `  ${code}: ${message}`),
    `state     ${state}, process ${pid}, since ${age(startedAt, now)}`,
    `broker    ${broker.address}, ${broker.connected ? 'connected' : 'not connected'}${losses(broker.losses)}`,
    `pool      ${pool.name}, ${pool.size} at a time${pool.healthy ? '' : ', cannot run tasks'}${stuck(pool.stuck)}`,
    `queues    ${queues.join(', ')}`,
    `consumed  ${consumedAt === null ? 'nothing yet' : `last ${age(consumedAt, now)} ago`}`,
    `tasks     ${active} active, ${processed} done`,
  ]
  return lines.join('\n')
}

function losses(count: number): string {
  if (count === 0) return ''
  return count === 1 ? ', lost once' : `, lost ${count} times`
}

function stuck(count: number): string {
  return count === 0 ? '' : `, ${count} stuck`
}

/** In the largest unit that leaves a number of at least 1. */
function age(time: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1_000))
  for (const [unit, size] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`
  return '0 s'
}

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const
