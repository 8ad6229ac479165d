/** A value and what tells it from the others of its metric. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
  /** After the metric's name: `_sum`, `_count`, `_bucket` of a histogram. @defaultValue none */
  readonly suffix?: string
}

/** Builds the text format of Prometheus, version 0.0.4. */
export class MetricsText {
  readonly #lines: string[] = []
  readonly #common: Readonly<Record<string, string>>

  /** @param common labels of all samples */
  constructor(common: Readonly<Record<string, string>>) {
    this.#common = common
  }

  /** One metric with all its samples; nothing where there are none. */
  add(name: string, type: 'counter' | 'gauge' | 'histogram', help: string, samples: Iterable<Sample>): this {
    const lines = [...samples].map(({ labels, suffix = '', value }) => {
      const pairs = Object.entries({ ...labels, ...this.#common }).map(([key, text]) => `${key}="${escapeLabel(text)}"`)
      return `${name}${suffix}{${pairs.join(',')}} ${numberText(value)}`
    })
    if (lines.length > 0) this.#lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines)
    return this
  }

  counter(name: string, help: string, value: number): this {
    return this.add(name, 'counter', help, [{ value }])
  }

  gauge(name: string, help: string, value: number): this {
    return this.add(name, 'gauge', help, [{ value }])
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`
  }

  /** The same, with what `old` has of other metrics. */
  replaceIn(old: string): string {
    const own = new Set(this.#lines.flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []))
    const kept = old.split('\n').filter((line) => line !== '' && !own.has(/^(?:# \w+ )?(\w+)/.exec(line)?.[1] ?? ''))
    return `${[...kept, ...this.#lines].join('\n')}\n`
  }
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}
