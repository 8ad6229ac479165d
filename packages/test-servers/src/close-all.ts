/** Closes what was started, the last first, all of it even where one fails; then throws the first failure. */
export async function closeAll(started: readonly AsyncDisposable[]): Promise<void> {
  const failures: unknown[] = []
  for (const one of [...started].reverse()) {
    try {
      await one[Symbol.asyncDispose]()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
