/** A bar on one line of the terminal; on anything else a line per quarter. */
export class ProgressBar {
  readonly #total: number
  readonly #out: NodeJS.WriteStream
  #done = 0
  #drawn = -1

  constructor(total: number, out: NodeJS.WriteStream) {
    this.#total = total
    this.#out = out
  }

  advance(): void {
    this.#done++
    const width = 40
    const filled = Math.floor((this.#done / this.#total) * width)
    const step = this.#out.isTTY ? filled : Math.floor((filled * 4) / width)
    if (step === this.#drawn && this.#done < this.#total) return
    this.#drawn = step
    const line = `  ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${this.#done}/${this.#total}`
    if (this.#out.isTTY) this.#out.write(`\r${line}${this.#done === this.#total ? '\n' : ''}`)
    else this.#out.write(`${line}\n`)
  }
}
