import { expect, test } from 'vitest'
import { MainLoopBeat, silenceMs } from './main-loop-beat.ts'

test('a loop that was held up shows by how much', () => {
  const beat = new MainLoopBeat()
  beat.start()
  try {
    expect(silenceMs(beat.shared)).toBeLessThan(60_000)
    Atomics.store(beat.shared, 0, process.hrtime.bigint() - 5_000_000_000n)
    expect(silenceMs(beat.shared)).toBeGreaterThanOrEqual(5_000)
    expect(beat.lagMs).toBeGreaterThanOrEqual(4_000)
  } finally {
    beat.stop()
  }
})

test('beats again and again', async () => {
  const beat = new MainLoopBeat()
  beat.start()
  try {
    const first = Atomics.load(beat.shared, 0)
    while (Atomics.load(beat.shared, 0) === first) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(beat.lagMs).toBeGreaterThanOrEqual(0)
  } finally {
    beat.stop()
  }
})
