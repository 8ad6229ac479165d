import assert from 'node:assert/strict'
import type { Call, CallOptions, Outcome } from './client.ts'
import type { Direction } from './direction.ts'
import { toPlain } from './plain-values.ts'
import type { Stage } from './stage.ts'

/** One thing that has to work in every direction. */
export interface Cell {
  readonly name: string
  /** Left out of the short form, because it starts workers of its own or waits. */
  readonly long?: boolean
  /** Why there is nothing to ask in a direction. */
  leftOut?(direction: Direction): string | undefined
  /** @throws AssertionError, or whatever went wrong */
  run(stage: Stage): Promise<void>
}

/** A call and the value it has to come to. */
export function returns(name: string, call: Call, result: unknown): Cell {
  return {
    name,
    async run({ client }) {
      assertValue(await client.wait(await client.send(call)), result)
    },
  }
}

/** The same for a list of values, each of which has to come back as it was. */
export function echoes(name: string, values: readonly unknown[], options: CallOptions = {}): Cell {
  return {
    name,
    async run({ client }) {
      const ids = await client.sendMany(values.map((value) => ({ task: 'interop.echo', args: [value], options })))
      const outcomes = await client.waitAll(ids)
      for (const [index, value] of values.entries()) assertValue(outcomes[index], value)
    },
  }
}

export function assertValue(outcome: Outcome | undefined, result: unknown): void {
  const { error, result: found, state } = outcome ?? { state: 'nothing', result: undefined, error: null }
  assert.deepStrictEqual({ state, result: found, error }, { state: 'SUCCESS', result: toPlain(result), error: null })
}

export function assertFailure(outcome: Outcome, error: { readonly type: string; readonly message?: string }): void {
  assert.equal(outcome.state, 'FAILURE')
  assert.equal(outcome.error?.type, error.type)
  if (error.message !== undefined) assert.equal(outcome.error?.message, error.message)
}
