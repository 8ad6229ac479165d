export type { AtomicWrite } from './atomic-write.ts'
export { COMPOSITE_TASKS, type CompositeType, isComposite } from './composite.ts'
export { type DecodeMessageHeadersOptions, decodeMessageHeaders } from './decode-message-headers.ts'
export { decodeSignature, MAX_SIGNATURES, type SignatureBudget } from './decode-signature.ts'
export { decodeTaskBody } from './decode-task-body.ts'
export { decodeTaskHeaders, readTaskId } from './decode-task-headers.ts'
export { type EncodeTaskOptions, encodeTaskMessage, type TaskCall, type TaskMessage } from './encode-task-message.ts'
export { encodeTaskMessageV1, type TaskBodyV1, type TaskMessageV1 } from './encode-task-message-v1.ts'
export {
  assertEnvelopeSize,
  checkProperties,
  type DecodeEnvelopeOptions,
  decodeEnvelope,
  type EnvelopeAddress,
  encodeEnvelope,
} from './envelope.ts'
export { type ErrorMapping, ErrorRegistry } from './error-registry.ts'
export {
  InvalidEnvelopeError,
  InvalidResultRecordError,
  InvalidServerUrlError,
  InvalidTaskMessageError,
  TaskMessageTooLargeError,
} from './errors.ts'
export { decodeExceptionForm, errorFromForm, exceptionForm, tracebackText } from './exception-form.ts'
export { isName, isPriority, MAX_PRIORITY } from './guards.ts'
export { formatIsoTime, isWritableTime, parseIsoTime } from './iso-time.ts'
export { OPTION_RULES, type OptionRule } from './option-rules.ts'
export { parseServerUrl } from './parse-server-url.ts'
export { argsRepr, kwargsRepr, pythonRepr, type ReprOptions } from './python-repr.ts'
export { RemoteTaskError } from './remote-task-error.ts'
export {
  decodeResultRecord,
  type EncodeResultOptions,
  encodeResultRecord,
  readResultRecord,
  resultRecordData,
} from './result-codec.ts'
export type { ExceptionForm, ResultRecord } from './result-record.ts'
export { decodeResultTuple, encodeResultTuple, type ResultReference, type ResultTuple } from './result-tuple.ts'
export type { ServerAddress } from './server-address.ts'
export type { SignatureData, SignatureOptions } from './signature-data.ts'
export {
  ALL_STATES,
  compareStates,
  EXCEPTION_STATES,
  PROPAGATE_STATES,
  READY_STATES,
  type TaskState,
  UNREADY_STATES,
} from './states.ts'
export type { TaskBody, TaskEmbed, TaskHeaders } from './task-types.ts'
export type { DeliveryInfo, MessageProperties, WireMessage } from './wire-message.ts'
