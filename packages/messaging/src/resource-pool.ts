import {
  type AbortableOptions,
  CeleryError,
  type Clock,
  type Deferred,
  deferred,
  onAbort,
  systemClock,
} from '@celery/promises'

export interface ResourcePoolOptions<Resource extends object> {
  /** Most resources at the same time; `null` for no limit. @defaultValue `10`, as in Celery */
  readonly limit?: number | null | undefined
  /** Makes one, when somebody needs it and none is free. */
  readonly open: () => Resource | Promise<Resource>
  readonly close: (resource: Resource) => Promise<void>
  /** Told where one that nobody needs cannot be closed. @defaultValue `process.emitWarning` */
  readonly onError?: ((error: Error) => void) | undefined
  /** For tests. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

export interface AcquireOptions extends AbortableOptions {
  /** Whether to wait where all are in use. @defaultValue `true` */
  readonly block?: boolean | undefined
  /** Seconds to wait until one is free or may be made; making it is not counted. @defaultValue for ever */
  readonly timeout?: number | undefined
}

/** A resource that is in use. `await using` gives it back where its scope ends. */
export interface Leased<Resource extends object> extends AsyncDisposable {
  readonly resource: Resource
  /** Gives it back, for others to use. Safe twice. */
  release(): Promise<void>
  /** Closes it, because something is wrong with it; another one may be made in its place. Safe twice. */
  discard(): Promise<void>
}

/** What one who asked may do now. */
type Grant<Resource extends object> = { readonly type: 'use'; readonly resource: Resource } | { readonly type: 'open' }

/**
 * Resources that cost something to make, each used by one at a time, and so many at most: kombu's `Resource`. They are
 * made when they are needed, the one given back last is used first, and who waits is served in turn.
 */
export class ResourcePool<Resource extends object> implements AsyncDisposable {
  readonly #options: ResourcePoolOptions<Resource>
  readonly #free: Resource[] = []
  readonly #used = new Set<Resource>()
  readonly #waiting = new Set<Deferred<Grant<Resource>>>()
  #limit: number
  /** In use, free, being made or being closed. */
  #size = 0
  #closing: Promise<void> | undefined

  /** @throws RangeError for a limit below 1. */
  constructor(options: ResourcePoolOptions<Resource>) {
    this.#options = options
    this.#limit = checkLimit(options.limit === undefined ? 10 : options.limit)
  }

  /** `null` where there is none. */
  get limit(): number | null {
    return this.#limit === Number.POSITIVE_INFINITY ? null : this.#limit
  }

  /** Resources that there are, in use or not. */
  get size(): number {
    return this.#size
  }

  /** Resources that nobody uses. */
  get free(): number {
    return this.#free.length
  }

  /**
   * One that nobody else uses until it is given back.
   * @throws LimitExceededError where none was free in time; ResourcePoolClosedError; what `open` throws.
   */
  async acquire(options: AcquireOptions = {}): Promise<Leased<Resource>> {
    options.signal?.throwIfAborted()
    if (this.#closing !== undefined) throw new ResourcePoolClosedError()
    const grant = (this.#waiting.size === 0 ? this.#grant() : undefined) ?? (await this.#wait(options))
    const resource = grant.type === 'use' ? grant.resource : await this.#open()
    if (!this.#used.has(resource)) throw new ResourcePoolClosedError()
    return new Lease(resource, (isGood) => this.#return(resource, isGood))
  }

  /** Runs something with one of them, and gives that back. Errors as of `acquire`, and what `run` throws. */
  async use<T>(run: (resource: Resource) => T | Promise<T>, options?: AcquireOptions): Promise<T> {
    await using lease = await this.acquire(options)
    return await run(lease.resource)
  }

  /** Changes the limit. What is above it is closed, or, where it is in use, when it is given back. @throws RangeError below 1 */
  async resize(limit: number | null): Promise<void> {
    this.#limit = checkLimit(limit)
    this.#serve()
    const surplus = this.#free.splice(0, Math.max(0, this.#size - this.#limit))
    await Promise.all(surplus.map((resource) => this.#end(resource)))
  }

  /** Closes all of them, those in use too: kombu's `force_close_all`. Nothing can be acquired any more. Safe twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    for (const waiting of this.#waiting) waiting.reject(new ResourcePoolClosedError())
    this.#waiting.clear()
    const all = [...this.#free.splice(0), ...this.#used]
    this.#used.clear()
    await Promise.all(all.map((resource) => this.#end(resource)))
  }

  /** Lets one who asks have something, if there is something to be had. */
  #grant(): Grant<Resource> | undefined {
    const resource = this.#free.pop()
    if (resource !== undefined) {
      this.#used.add(resource)
      return { type: 'use', resource }
    }
    if (this.#size >= this.#limit) return undefined
    this.#size++
    return { type: 'open' }
  }

  async #wait({ block = true, signal, timeout }: AcquireOptions): Promise<Grant<Resource>> {
    if (!block) throw new LimitExceededError(this.#limit)
    const waiting = deferred<Grant<Resource>>()
    this.#waiting.add(waiting)
    // What has been granted is not refused any more.
    const refuse = (reason: unknown): void => {
      if (this.#waiting.delete(waiting)) waiting.reject(reason)
    }
    const clock = this.#options.clock ?? systemClock
    const forget = signal && onAbort(signal, () => refuse(signal.reason))
    const cancel =
      timeout === undefined
        ? undefined
        : clock.schedule(timeout * 1_000, () => refuse(new LimitExceededError(this.#limit, timeout)))
    try {
      return await waiting.promise
    } finally {
      forget?.()
      cancel?.()
    }
  }

  /** Something has become free, or may be made. */
  #serve(): void {
    for (const waiting of this.#waiting) {
      const grant = this.#grant()
      if (grant === undefined) return
      this.#waiting.delete(waiting)
      waiting.resolve(grant)
    }
  }

  async #open(): Promise<Resource> {
    let resource: Resource
    try {
      resource = await this.#options.open()
    } catch (error) {
      this.#size--
      this.#serve()
      throw error
    }
    if (this.#closing !== undefined) await this.#end(resource)
    else this.#used.add(resource)
    return resource
  }

  async #return(resource: Resource, isGood: boolean): Promise<void> {
    // Closed with the pool.
    if (!this.#used.delete(resource)) return
    if (!isGood || this.#size > this.#limit) return this.#end(resource)
    this.#free.push(resource)
    this.#serve()
  }

  async #end(resource: Resource): Promise<void> {
    try {
      await this.#options.close(resource)
    } catch (error) {
      const { onError = (each: Error) => process.emitWarning(each) } = this.#options
      onError(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#size--
      this.#serve()
    }
  }
}

class Lease<Resource extends object> implements Leased<Resource> {
  readonly resource: Resource
  readonly #giveBack: (isGood: boolean) => Promise<void>
  #given: Promise<void> | undefined

  constructor(resource: Resource, giveBack: (isGood: boolean) => Promise<void>) {
    this.resource = resource
    this.#giveBack = giveBack
  }

  release(): Promise<void> {
    this.#given ??= this.#giveBack(true)
    return this.#given
  }

  discard(): Promise<void> {
    this.#given ??= this.#giveBack(false)
    return this.#given
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}

/** All resources of a pool were in use. Wait for longer, or raise its limit; nothing happened. */
export class LimitExceededError extends CeleryError {
  override readonly name = 'LimitExceededError'
  readonly code = 'ERR_CELERY_LIMIT_EXCEEDED'
  readonly limit: number

  constructor(limit: number, seconds?: number) {
    const when = seconds === undefined ? 'are in use' : `were in use for ${seconds} s`
    super(
      `all ${limit} resources of the pool ${when}; release those that are done with, wait for longer, or raise the limit`,
    )
    this.limit = limit
  }
}

/** The pool was closed by its owner. */
export class ResourcePoolClosedError extends CeleryError {
  override readonly name = 'ResourcePoolClosedError'
  readonly code = 'ERR_CELERY_RESOURCE_POOL_CLOSED'

  constructor() {
    super('the pool of resources was closed; make another one before acquiring from it')
  }
}

function checkLimit(limit: number | null): number {
  if (limit === null) return Number.POSITIVE_INFINITY
  if (Number.isInteger(limit) && limit >= 1) return limit
  throw new RangeError(`the limit of a pool must be a whole number of 1 or more, or null for none, got ${limit}`)
}
