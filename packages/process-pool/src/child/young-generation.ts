import { setFlagsFromString } from 'node:v8'

/**
 * By how much the young generation of V8's heap grows when much of it survives; 2 is V8's own. Modules survive, so that
 * loading them makes it four times as large as an idle child needs (8 MiB for 2), and nothing makes it small again. V8 reads
 * the flag at each growth, so that it may be set and taken back. Of the whole process, threads and all.
 */
export function setYoungGenerationGrowth(factor: 1 | 2): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}
