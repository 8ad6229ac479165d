/** Thrown by a `Compression` that found the limit; has the code that Node's own give to the same. */
export class TooLargeError extends RangeError {
  readonly code = 'ERR_BUFFER_TOO_LARGE'

  constructor(maxBytes: number) {
    super(`more than ${maxBytes} bytes`)
  }
}
