import type { DeliveryRef } from '@celery/transport'

/** The fence of a delivery: its number, and the tag, so that a number cannot speak for another message. */
export function toFence(number: number, tag: string): string {
  return `${number}/${tag}`
}

/** The number of a delivery, or -1, which none has, where tag and fence do not belong together. */
export function deliveryNumber({ fence, tag }: DeliveryRef): number {
  if (typeof fence !== 'string') return -1
  const slash = fence.indexOf('/')
  if (slash < 1 || fence.length !== slash + 1 + tag.length || !fence.endsWith(tag)) return -1
  const number = Number(fence.slice(0, slash))
  return Number.isSafeInteger(number) ? number : -1
}
