/** Reads the text format of Prometheus, and nothing that is only nearly that. */

export interface ParsedMetric {
  readonly type: string
  readonly help: string
  readonly samples: ParsedSample[]
}

interface ParsedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
}

/** @throws Error for the first line that is not as the format has it */
export function parseMetrics(text: string): ReadonlyMap<string, ParsedMetric> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const metrics = new Map<string, ParsedMetric>()
  const seen = new Set<string>()
  let help: { readonly name: string; readonly text: string } | undefined
  let current: { readonly name: string; readonly metric: ParsedMetric } | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const wrong = (why: string): Error => new Error(`${why}: ${line}`)
    const [, helpName, helpText] = /^# HELP ([a-zA-Z_:][\w:]*) ((?:[^\\]|\\\\|\\n)+)$/.exec(line) ?? []
    if (helpName !== undefined) {
      help = { name: helpName, text: helpText ?? '' }
      continue
    }
    const [, typeName, type] = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line) ?? []
    if (typeName !== undefined && type !== undefined) {
      if (help?.name !== typeName) throw wrong('its HELP does not come first')
      if (metrics.has(typeName)) throw wrong('it comes twice')
      if (type === 'counter' && !typeName.endsWith('_total')) throw wrong('the name of a counter ends in _total')
      current = { name: typeName, metric: { type, help: help.text, samples: [] } }
      metrics.set(typeName, current.metric)
      continue
    }
    const [, name, labels = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined || current === undefined) throw wrong('no sample')
    const { metric, name: metricName } = current
    if (!suffixes[metric.type]?.some((suffix) => name === metricName + suffix)) throw wrong('it is of another metric')
    const key = `${name}{${labels}}`
    if (seen.has(key)) throw wrong('it comes twice')
    seen.add(key)
    metric.samples.push({ name, labels: parseLabels(labels), value: parseValue(value) })
  }
  for (const [name, metric] of metrics) if (metric.type === 'histogram') checkHistogram(name, metric)
  return metrics
}

function parseLabels(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {}
  const pair = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y
  while (pair.lastIndex < text.length) {
    const [, name, value] = pair.exec(text) ?? []
    if (name === undefined || value === undefined) throw new Error(`no labels: ${text}`)
    if (Object.hasOwn(labels, name)) throw new Error(`a label comes twice: ${text}`)
    labels[name] = value.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter))
  }
  return labels
}

function parseValue(text: string): number {
  if (text === '+Inf' || text === '-Inf') return text === '+Inf' ? Infinity : -Infinity
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/.test(text)) throw new Error(`no number: ${text}`)
  return Number(text)
}

function checkHistogram(name: string, { samples }: ParsedMetric): void {
  const groups = new Map<string, ParsedSample[]>()
  for (const sample of samples) {
    const { le: _, ...rest } = sample.labels
    const key = JSON.stringify(rest)
    groups.set(key, [...(groups.get(key) ?? []), sample])
  }
  for (const [labels, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels: { le = '' } }) => parseValue(le))
    const counts = buckets.map(({ value }) => value)
    const grows = (list: readonly number[]): boolean =>
      list.every((each, index) => index === 0 || each >= (list[index - 1] ?? 0))
    if (bounds.at(-1) !== Infinity || !grows(bounds) || !grows(counts))
      throw new Error(`no histogram: ${name} ${labels}`)
    const count = group.find((sample) => sample.name === `${name}_count`)?.value
    if (count !== counts.at(-1)) throw new Error(`the count of ${name} ${labels} is not that of its last bucket`)
    if (!group.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name} ${labels} has no sum`)
  }
}
