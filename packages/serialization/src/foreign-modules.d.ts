// What we use of packages that come without types.

declare module 'bzip2-wasm' {
  interface Bzip2Module {
    readonly HEAPU8: Uint8Array
    _malloc(sizeBytes: number): number
    _free(pointer: number): void
    getValue(pointer: number, type: 'i32'): number
    setValue(pointer: number, value: number, type: 'i32'): void
    _BZ2_bzBuffToBuffCompress(
      target: number,
      targetLength: number,
      source: number,
      sourceLength: number,
      blockSize: number,
      verbosity: number,
      workFactor: number,
    ): number
    _BZ2_bzBuffToBuffDecompress(
      target: number,
      targetLength: number,
      source: number,
      sourceLength: number,
      small: number,
      verbosity: number,
    ): number
  }

  export default class BZip2 {
    /** There after `init()`. */
    readonly wasmModule: Bzip2Module
    init(): Promise<void>
  }
}

declare module 'lzma-native' {
  class Stream {
    /** Called during `code()`: with bytes, with `null` for them at the end, or with an error. */
    bufferHandler: (bytes: Uint8Array | null, chunks: number | undefined, error: Error | null) => void
    easyEncoder(options: { preset: number; check: number }): void
    streamDecoder(options: { memlimit: number }): void
    /** `null` is the end of the input. */
    code(input: Uint8Array | null, isAsynchronous: false): void
    resetUnderlying(): void
  }

  const lzma: { readonly Stream: typeof Stream; readonly CHECK_CRC64: number }
  export default lzma
}
