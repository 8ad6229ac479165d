import type { Database, Statement } from '@celery/sqlite'
import type { Claims } from './claims.ts'
import type { MessageStore } from './message-store.ts'
import { prepareAll, type Topology } from './topology.ts'

/**
 * Claims numbered under one owner. With 2^20 of them, 2^33 owners fit into the integers that JavaScript counts exactly:
 * the first of a file is a random one of the lower half.
 */
export const claimsPerOwner: number = 2 ** 20

/**
 * Who holds messages, and until when. A *session* is one connection. It appears in the file as one *owner* after
 * another: everything that was fetched at about the same time has the same owner, and so the same lease, and a new one
 * begins where the last was taken over, has used up its numbers or is near its end. Where leases are renewed in time
 * one owner lasts. Belongs into a transaction.
 */
export class Ownership {
  readonly #session: string
  readonly #leaseMs: number
  readonly #graceMs: number
  readonly #topology: Topology
  readonly #store: MessageStore
  readonly #claims: Claims
  readonly #statements: Readonly<Record<keyof typeof sql, Statement>>

  constructor(
    database: Database,
    options: {
      readonly session: string
      readonly leaseMs: number
      readonly graceMs: number
      readonly topology: Topology
      readonly store: MessageStore
      readonly claims: Claims
    },
  ) {
    this.#session = options.session
    this.#leaseMs = options.leaseMs
    this.#graceMs = options.graceMs
    this.#topology = options.topology
    this.#store = options.store
    this.#claims = options.claims
    this.#statements = prepareAll(database, sql)
  }

  /** Makes a new owner for this session and returns its number. */
  begin(nowMs: number): number {
    this.#graceUnproven(nowMs)
    return Number(this.#statements.insert.run([this.#session, this.#leaseMs, nowMs + this.#leaseMs]).lastInsertRowid)
  }

  /**
   * Renews the leases of this session, and forgets those of its owners that hold nothing any more. With a length other
   * than that of its leases where it may not be able to renew for that long.
   */
  renew(nowMs: number, leaseMs: number = this.#leaseMs): void {
    this.#graceUnproven(nowMs)
    this.#statements.renew.run([leaseMs, nowMs + leaseMs, this.#session])
    this.#statements.forgetIdle.run([this.#session, this.#session])
  }

  /**
   * The clock was set back: leases that begin in the future begin now. Living owners would renew theirs, but those of
   * lost ones would go on until the clock is where it was.
   */
  shorten(nowMs: number): void {
    this.#statements.shorten.run([nowMs, nowMs])
  }

  /**
   * Nobody could write for a while. Leases that ended meanwhile may be those of owners who wait to renew them, so they get
   * a little time to do it. Not after short waits: where many write there is always one. Returns whether there were any.
   */
  excuse(nowMs: number, blockedMs: number): boolean {
    if (this.#graceMs === 0 || blockedMs * 2 < this.#graceMs) return false
    return this.#statements.excuse.run([nowMs + this.#graceMs, nowMs - blockedMs, nowMs]).changes > 0
  }

  /** When the first lease of this session ends, if it has one. */
  ownLeaseEndMs(): number | undefined {
    return (this.#statements.ownLeaseEnd.values([this.#session])[0]?.[0] as number | null) ?? undefined
  }

  /** Gives back what is held under leases that have ended, this session's own too: it has been away for too long. */
  takeOverExpired(nowMs: number): void {
    this.#graceUnproven(nowMs)
    const expired = this.#statements.expired.values([nowMs]) as [number, string][]
    for (const [owner, session] of expired) {
      this.#end(owner, true)
      const isLast = this.#statements.ofSession.values([session]).length === 0
      if (isLast && session !== this.#session) this.#endSession(session)
    }
  }

  /** Forgets the owners of this session that hold nothing. */
  leave(): void {
    this.#statements.leave.run([this.#session])
  }

  /** Gives back everything that this session holds, uncounted, and all that was declared for it alone. */
  end(): void {
    for (const [owner] of this.#statements.ofSession.values([this.#session])) this.#end(owner as number, false)
    this.#endSession(this.#session)
  }

  /**
   * That a lease has ended does not prove that its owner is lost: perhaps nobody could renew, because the machine slept
   * or the file was locked. The proof is that another session began a lease in the second half of the one that ended,
   * by when its owner should have renewed it. Owners without that proof get a little time to renew; once, as they may
   * have been lost after all. Comes before every new lease, because that would be proof.
   */
  #graceUnproven(nowMs: number): void {
    if (this.#graceMs === 0) return
    const until = nowMs + this.#graceMs
    const { changes } = this.#statements.grace.run([until, until, nowMs])
    if (changes > 0) this.#statements.setGraceEnd.run([until])
  }

  #end(owner: number, counted: boolean): void {
    const first = owner * claimsPerOwner
    this.#claims.giveBackAll(first, first + claimsPerOwner - 1, counted)
    this.#statements.delete.run([owner])
  }

  #endSession(session: string): void {
    for (const queue of this.#topology.queuesThatEndWith(session)) {
      this.#store.removeAll(queue)
      this.#topology.deleteQueue(queue)
    }
  }
}

const sql = {
  insert: 'INSERT INTO owner (session, lease_ms, lease_until_ms) VALUES (?, ?, ?)',
  shorten: 'UPDATE owner SET lease_until_ms = ? + lease_ms WHERE lease_until_ms > ? + lease_ms',
  excuse: 'UPDATE owner SET lease_until_ms = ? WHERE lease_until_ms > ? AND lease_until_ms <= ?',
  renew: 'UPDATE owner SET lease_ms = ?, lease_until_ms = ? WHERE session = ?',
  forgetIdle: `DELETE FROM owner WHERE session = ? AND id < (SELECT max(id) FROM owner WHERE session = ?)
    AND NOT EXISTS (SELECT 1 FROM claim
      WHERE number BETWEEN owner.id * ${claimsPerOwner} AND owner.id * ${claimsPerOwner} + ${claimsPerOwner - 1})`,
  leave: `DELETE FROM owner WHERE session = ? AND NOT EXISTS (SELECT 1 FROM claim
    WHERE number BETWEEN owner.id * ${claimsPerOwner} AND owner.id * ${claimsPerOwner} + ${claimsPerOwner - 1})`,
  ownLeaseEnd: 'SELECT min(lease_until_ms) FROM owner WHERE session = ?',
  // Nothing to do as long as all are good, which costs one look.
  grace: `UPDATE owner SET lease_until_ms = ?
    WHERE lease_until_ms < ? AND (SELECT min(lease_until_ms) FROM owner) <= ?
      AND lease_until_ms <> (SELECT grace_end_ms FROM topology)
      AND NOT EXISTS (SELECT 1 FROM owner other WHERE other.session <> owner.session
        AND other.lease_until_ms - other.lease_ms >= owner.lease_until_ms - owner.lease_ms / 2)`,
  setGraceEnd: 'UPDATE topology SET grace_end_ms = ?',
  expired: 'SELECT id, session FROM owner WHERE lease_until_ms <= ?',
  ofSession: 'SELECT id FROM owner WHERE session = ?',
  delete: 'DELETE FROM owner WHERE id = ?',
} as const
