import { growingPause } from '@celery/promises'

/**
 * Milliseconds before a broker that failed is asked again, after so many retries: from 100 to 1,500, for everything that
 * waits for it.
 */
export const retryPauseMs: (retries: number) => number = growingPause({ firstMs: 100, longestMs: 1_500 })
