import { CeleryError, quote } from '@celery/promises'

/** A value cannot be written in the chosen format. Nothing was sent; change the value or choose another serializer. */
export class EncodeError extends CeleryError {
  override readonly name = 'EncodeError'
  readonly code = 'ERR_CELERY_ENCODE'
  /** The format: a content type. */
  readonly contentType: string
  /** Where in the value, `$.kwargs.when` for example; `$` is the value itself. */
  readonly path: string
  readonly reason: string

  constructor(contentType: string, reason: string, path: string = '$', options?: ErrorOptions) {
    super(`cannot write ${path} as ${contentType}: ${reason}`, options)
    this.contentType = contentType
    this.reason = reason
    this.path = path
  }
}

/**
 * What came from outside is not what it claims to be: bad syntax, bad UTF-8, too deep, too large, corrupt.
 * The one error of decoding; trying again gives the same.
 */
export class DecodeError extends CeleryError {
  override readonly name = 'DecodeError'
  readonly code = 'ERR_CELERY_DECODE'
  /** The format: a content type. */
  readonly contentType: string
  readonly reason: string
  /** Index of the character at which decoding stopped, where known. */
  readonly position: number | undefined

  constructor(contentType: string, reason: string, position?: number, options?: ErrorOptions) {
    super(`cannot read ${contentType}: ${reason}${position === undefined ? '' : ` at position ${position}`}`, options)
    this.contentType = contentType
    this.reason = reason
    this.position = position
  }
}

/** The content type is not on the receiver's accept list. The content was not looked at. */
export class ContentDisallowedError extends CeleryError {
  override readonly name = 'ContentDisallowedError'
  readonly code = 'ERR_CELERY_CONTENT_DISALLOWED'
  readonly contentType: string
  readonly accepted: readonly string[]

  constructor(contentType: string, accepted: Iterable<string>) {
    const list = [...accepted]
    const accepts = `content type ${quote(contentType)} is not accepted here (accepted: ${list.join(', ') || 'none'})`
    super(`${accepts}${aboutPickle(contentType)}`)
    this.contentType = contentType
    this.accepted = list
  }
}

/** No serializer goes by this name or content type. Register it, or fix the spelling. */
export class UnknownSerializerError extends CeleryError {
  override readonly name = 'UnknownSerializerError'
  readonly code = 'ERR_CELERY_UNKNOWN_SERIALIZER'
  readonly serializer: string
  readonly known: readonly string[]

  constructor(serializer: string, known: Iterable<string>) {
    const list = [...known]
    super(`no serializer ${quote(serializer)} is registered (known: ${list.join(', ')})${aboutPickle(serializer)}`)
    this.serializer = serializer
    this.known = list
  }
}

/** No compression goes by this name or header value. Register it, or fix the spelling. */
export class UnknownCompressionError extends CeleryError {
  override readonly name = 'UnknownCompressionError'
  readonly code = 'ERR_CELERY_UNKNOWN_COMPRESSION'
  readonly compression: string
  readonly known: readonly string[]

  constructor(compression: string, known: Iterable<string>) {
    const list = [...known]
    super(`no compression ${quote(compression)} is registered (known: ${list.join(', ')})`)
    this.compression = compression
    this.known = list
  }
}

/** A registered serializer or compression is not in memory: `load()` was not awaited, or failed (then see `cause`). */
export class CodecUnavailableError extends CeleryError {
  override readonly name = 'CodecUnavailableError'
  readonly code = 'ERR_CELERY_CODEC_UNAVAILABLE'
  readonly codec: string
  /** The npm package that brings it, where the registration named one. */
  readonly packageName: string | undefined

  constructor(codec: string, packageName?: string, options?: ErrorOptions) {
    const remedy = packageName === undefined ? '' : `; it needs the package ${packageName}: npm install ${packageName}`
    super(
      options?.cause === undefined
        ? `${quote(codec)} is not loaded: await load(${quote(codec)}) before using it${remedy}`
        : `${quote(codec)} could not be loaded${remedy}`,
      options,
    )
    this.codec = codec
    this.packageName = packageName
  }
}

/** The one format that is left out on purpose, and that a Python fleet may be set to. */
function aboutPickle(nameOrType: string): string {
  if (nameOrType !== 'pickle' && nameOrType !== 'application/x-python-serialize') return ''
  return (
    ': a pickle can run code in every Python program that reads it; set the senders to json, yaml or msgpack, or ' +
    'register pickleSerializer(), which reads plain data only and runs nothing'
  )
}
