import type { ChildErrorInfo } from './errors.ts'

/** What becomes of the other end of a {@link ChildLink}. */
export interface ChildLinkEvents {
  /** Frames, or parts of them. Valid until the call returns. */
  onBytes(chunk: Buffer): void
  /** It could not even be started; no other call follows. */
  onStartError(error: Error): void
  /** It was ended by an error that it could not report itself. `onExit` follows. */
  onError(error: ChildErrorInfo): void
  onExit(exitCode: number | null, signal: string | null): void
  /** All that it wrote has been told. */
  onDrained(): void
}

/** The way to one child: a process behind two pipes, or a thread behind its port. */
export interface ChildLink {
  /** Of the process that it runs in; 0 if that could not be started. */
  readonly pid: number
  /** Of a thread, Node's. */
  readonly threadId?: number
  /** Hands `bytes` over; `done` is called when their memory may be used again. */
  write(bytes: Uint8Array, done: () => void): void
  /** Ends it without asking. */
  kill(): void
  /** Listens no longer to one that hangs where nothing can end it. */
  abandon(): void
}

/** Starts the child of place `index` that loads `module`, a file URL or a path. @throws Error where the operating system refuses */
export type ConnectChild = (module: string, events: ChildLinkEvents, index: number) => ChildLink
