import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { roundTripReadings } from './call-one-by-one.ts'

/** A worker with nothing else to do, and a client. */
export interface IdlePair {
  start(): Promise<void>
  /** Milliseconds from the call to its result, each call after the one before. */
  call(calls: number): Promise<readonly number[]>
  /** Safe where it never started, or only in part. */
  close(): Promise<void>
}

/** Calls and waits, again and again. The worker stays for all runs. */
export class RoundTrips implements Contestant {
  readonly name: string
  readonly #calls: number
  readonly #pair: IdlePair

  constructor({ roundTrips }: SuiteOptions, name: string, pair: IdlePair) {
    this.name = name
    this.#calls = roundTrips
    this.#pair = pair
  }

  async prepare(): Promise<void> {
    await this.#pair.start()
    await this.run()
  }

  async run(): Promise<Readings> {
    return roundTripReadings(await this.#pair.call(this.#calls))
  }

  dispose(): Promise<void> {
    return this.#pair.close()
  }
}
