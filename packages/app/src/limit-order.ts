/** Whether the soft limit can be reached: it is at most the hard one, or one of them is none, which 0 is too. */
export function areLimitsInOrder(hard: number | null | undefined, soft: number | null | undefined): boolean {
  return !hard || !soft || soft <= hard
}
