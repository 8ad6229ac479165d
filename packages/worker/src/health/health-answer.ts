import type { HealthReason, HealthReport } from './health-report.ts'

/** Who knows how the worker is. */
export interface HealthSource {
  /** Why it is not worth waiting for, `undefined` where it is; at once, without asking the broker. */
  notLive(): Promise<HealthReason | undefined>
  report(): Promise<HealthReport>
  /** In the text format of Prometheus. */
  metrics(): Promise<string>
}

export interface HealthAnswer {
  readonly status: 200 | 404 | 405 | 500 | 503
  readonly type: 'application/json' | 'text/plain; version=0.0.4; charset=utf-8' | 'text/plain; charset=utf-8'
  readonly body: string
}

/**
 * Answers a request:
 *
 * - `/live`: 200, or 503 where the main loop has been blocked for a minute;
 * - `/ready`: 200, or 503 with the reasons;
 * - `/metrics`: numbers for Prometheus;
 * - `/report`: the whole report, where `isOwner` says that the worker's own user asks.
 */
export async function answerHealth(
  source: HealthSource,
  request: { readonly method?: string | undefined; readonly url?: string | undefined },
  isOwner: boolean,
): Promise<HealthAnswer> {
  const { method, url = '/' } = request
  const path = url.split('?', 1)[0] ?? ''
  const respond = Object.hasOwn(pages, path) ? pages[path as keyof typeof pages] : undefined
  if (respond === undefined || (path === '/report' && !isOwner))
    return said(404, 'there are /live, /ready and /metrics\n')
  if (method !== 'GET' && method !== 'HEAD') return said(405, 'only GET and HEAD are allowed here\n')
  try {
    return await respond(source)
  } catch {
    // What is wrong may say more than strangers should know.
    return said(500, 'the worker cannot tell\n')
  }
}

const pages = {
  '/live': async (source: HealthSource) => {
    const reason = await source.notLive()
    return json(reason === undefined, reason === undefined ? { live: true } : { live: false, reasons: [reason] })
  },
  '/ready': async (source: HealthSource) => {
    const { ready, reasons, state } = await source.report()
    return json(ready, { ready, state, reasons })
  },
  '/metrics': async (source: HealthSource) =>
    ({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await source.metrics() }) as const,
  '/report': async (source: HealthSource) => json(true, await source.report()),
} satisfies Record<string, (source: HealthSource) => Promise<HealthAnswer>>

function json(isWell: boolean, value: unknown): HealthAnswer {
  return { status: isWell ? 200 : 503, type: 'application/json', body: `${JSON.stringify(value)}\n` }
}

function said(status: 404 | 405 | 500, body: string): HealthAnswer {
  return { status, type: 'text/plain; charset=utf-8', body }
}
