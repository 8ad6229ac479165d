import type { TransportCapabilities } from '../broker-connection.ts'
import type { CaseContext } from './case-context.ts'

/** One sentence about what every transport does, and a proof of it. Plain data: any test framework can run it. */
export interface TransportCase {
  readonly name: string
  /** Whether a transport with these capabilities promises it at all. Absent: every transport does. */
  readonly needs?: (capabilities: TransportCapabilities) => boolean
  /** Whether it can only be run where the clock can be moved. @defaultValue `false` */
  readonly needsClock?: boolean
  /** Rejects where the transport does something else. */
  run(context: CaseContext): Promise<void>
}
