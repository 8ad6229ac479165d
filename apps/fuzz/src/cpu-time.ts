/** Milliseconds of this process's own time: those of a busy machine are nobody's fault. */
export function measure<T>(run: () => T): readonly [result: T, tookMs: number] {
  const before = process.cpuUsage()
  const result = run()
  const { system, user } = process.cpuUsage(before)
  return [result, (system + user) / 1_000]
}
