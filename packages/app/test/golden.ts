import { readFileSync } from 'node:fs'

/** A message as Celery 5.6 sent it over Redis. */
export interface GoldenMessage {
  readonly body: unknown
  readonly 'content-type': string
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Readonly<Record<string, unknown>>
}

/** The first message of a recorded call; the recordings belong to `@celery/protocol`. */
export function goldenMessage(name: string): GoldenMessage {
  const { messages } = read(`tasks/redis-5.6/${name}`) as { messages: { decoded: GoldenMessage }[] }
  return (messages[0] as { decoded: GoldenMessage }).decoded
}

/** The first message that a worker sent while it ran a task. */
export function goldenFollowUp(name: string): GoldenMessage {
  const { messages } = read(`tasks/worker-sent-redis-5.6/${name}`) as { messages: { decoded: GoldenMessage }[] }
  return (messages[0] as { decoded: GoldenMessage }).decoded
}

/** Every record that Celery 5.6 stored for the task, in order. */
export function goldenRecords(name: string): readonly Readonly<Record<string, unknown>>[] {
  const { backend_key_snapshots: snapshots } = read(`results/redis-backend-5.6/${name}`) as {
    backend_key_snapshots: Record<string, { decoded: Record<string, unknown> }>[]
  }
  return snapshots.flatMap((snapshot) => Object.values(snapshot).map(({ decoded }) => decoded))
}

/** The last record that Celery 5.6 stored for the task, other keys left out. */
export function goldenRecord(name: string): Readonly<Record<string, unknown>> {
  const { backend_key_snapshots: snapshots } = read(`results/redis-backend-5.6/${name}`) as {
    backend_key_snapshots: Record<string, { decoded: Record<string, unknown> }>[]
  }
  const [record] = Object.values(snapshots.at(-1) ?? {})
  return (record as { decoded: Record<string, unknown> }).decoded
}

function read(path: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../protocol/test/golden/${path}.json`, import.meta.url), 'utf8'))
}
