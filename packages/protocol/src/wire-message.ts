/**
 * A message as every broker carries it: AMQP's basic properties, application headers and an encoded body.
 * On AMQP these are the frames themselves; on the other brokers they travel in the JSON envelope of `envelope.ts`.
 */
export interface WireMessage {
  /** The serialized (and maybe compressed) body. Text bodies stay text, so that no one encodes them twice. */
  readonly body: string | Uint8Array
  readonly contentType: string
  /** `utf-8` for text, `binary` for bytes. */
  readonly contentEncoding: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: MessageProperties
}

/** Wire spelling, as Celery writes them (wire 1.1). Further keys are kept on the JSON brokers and dropped by AMQP. */
export interface MessageProperties {
  readonly correlation_id?: string
  readonly reply_to?: string
  /** 2 survives a restart of the broker, 1 does not. */
  readonly delivery_mode?: 1 | 2
  readonly priority?: number
  /** Milliseconds as text; RabbitMQ drops the message itself after that. */
  readonly expiration?: string
  readonly delivery_tag?: string
  readonly delivery_info?: DeliveryInfo
  readonly [extra: string]: unknown
}

export interface DeliveryInfo {
  readonly exchange: string
  readonly routing_key: string
  readonly redelivered?: boolean | null
  readonly priority?: number | null
}
