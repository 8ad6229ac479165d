import { pythonRepr, type SignatureData } from '@celery/protocol'
import { stepsOf } from './chain-data.ts'

/** As Celery shows it: `tasks.add(2, 2) | tasks.mul(3)`. */
export function signatureText(signature: SignatureData): string {
  return stepsOf(signature).map(callText).join(' | ')
}

function callText({ task, args, kwargs }: SignatureData): string {
  const given = args.map((arg) => pythonRepr(arg))
  for (const [name, value] of Object.entries(kwargs)) given.push(`${name}=${pythonRepr(value)}`)
  return `${task}(${given.join(', ')})`
}
