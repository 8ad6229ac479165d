import type { DeliveryRef } from '@celery/transport'

/** What a held message is known by: the fetch that took it, which no other has the number of, and its id. */
export interface HeldKey {
  readonly claim: number
  readonly message: number
}

/** What the fences of a claim begin with. Making it once saves writing a long number for each of its messages. */
export function fencePrefix(claim: number): string {
  return `${claim}.`
}

/** The fence of a delivery: its claim and message, and the tag, so that it cannot speak for another message. */
export function toFence(prefix: string, message: number, tag: string): string {
  return `${prefix}${message}/${tag}`
}

/** The key in a fence, or one that no message has where tag and fence do not belong together. */
export function heldKey({ fence, tag }: DeliveryRef): HeldKey {
  if (typeof fence !== 'string') return nothing
  const dot = fence.indexOf('.')
  const slash = fence.length - tag.length - 1
  if (fence[slash] !== '/' || !fence.endsWith(tag)) return nothing
  const claim = decimal(fence, 0, dot)
  const message = decimal(fence, dot + 1, slash)
  return claim === undefined || message === undefined ? nothing : { claim, message }
}

const nothing: HeldKey = { claim: -1, message: -1 }

/** The number in a part of a text, digit by digit: cheaper than a copy of that part, and strict. */
function decimal(text: string, start: number, end: number): number | undefined {
  if (start >= end) return undefined
  let number = 0
  for (let index = start; index < end; index++) {
    const digit = text.charCodeAt(index) - 48
    if (digit < 0 || digit > 9) return undefined
    number = 10 * number + digit
  }
  return Number.isSafeInteger(number) ? number : undefined
}
