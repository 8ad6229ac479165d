import type { HealthCode, HealthReason, HealthReport, HealthState } from './health-report.ts'

/** Reads the report of a worker, which may be of another version. @throws TypeError that names what is not as it should be */
export function readHealthReport(text: string): HealthReport {
  const fields = new Fields(JSON.parse(text), 'the report')
  const broker = fields.object('broker')
  const pool = fields.object('pool')
  return {
    node: fields.text('node'),
    pid: fields.number('pid'),
    state: fields.text('state') as HealthState,
    ready: fields.flag('ready'),
    live: fields.flag('live'),
    reasons: fields.list('reasons', (item): HealthReason => {
      const reason = new Fields(item, 'a reason')
      return { code: reason.text('code') as HealthCode, message: reason.text('message') }
    }),
    startedAt: fields.text('startedAt'),
    broker: { address: broker.text('address'), connected: broker.flag('connected'), losses: broker.number('losses') },
    pool: {
      name: pool.text('name'),
      size: pool.number('size'),
      healthy: pool.flag('healthy'),
      stuck: pool.number('stuck'),
    },
    queues: fields.list('queues', String),
    active: fields.number('active'),
    processed: fields.number('processed'),
    consumedAt: fields.get('consumedAt') === null ? null : fields.text('consumedAt'),
  }
}

/** An object from outside, read field by field. */
class Fields {
  readonly #object: Readonly<Record<string, unknown>>
  readonly #what: string

  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null) throw new TypeError(`${what} is no object`)
    this.#object = value as Readonly<Record<string, unknown>>
    this.#what = what
  }

  get(name: string): unknown {
    return this.#object[name]
  }

  text(name: string): string {
    const value = this.get(name)
    if (typeof value !== 'string') throw this.#wrong(name, 'a string')
    return value
  }

  number(name: string): number {
    const value = this.get(name)
    if (typeof value !== 'number') throw this.#wrong(name, 'a number')
    return value
  }

  flag(name: string): boolean {
    const value = this.get(name)
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false')
    return value
  }

  object(name: string): Fields {
    return new Fields(this.get(name), `${name} of ${this.#what}`)
  }

  list<Item>(name: string, read: (item: unknown) => Item): readonly Item[] {
    const value = this.get(name)
    if (!Array.isArray(value)) throw this.#wrong(name, 'a list')
    return value.map((item) => read(item))
  }

  #wrong(name: string, expected: string): TypeError {
    return new TypeError(`${name} of ${this.#what} is not ${expected}`)
  }
}
