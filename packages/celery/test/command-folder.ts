import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { CeleryProcess } from './scene.ts'

const celeryBin = fileURLToPath(new URL('../bin/celery.js', import.meta.url))
const packageFolder = fileURLToPath(new URL('..', import.meta.url))

/** How a command ended. */
export interface CommandEnd {
  readonly status: number | NodeJS.Signals
  /** Standard output. */
  readonly output: string
  /** Standard error. */
  readonly log: string
}

/** A project with `celery` installed and an embedded broker of its own, where the command is run. */
export class CommandFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'celery-command-'))
  readonly broker: string = join(this.path, 'queue.db')

  constructor(files: Readonly<Record<string, string>> = {}) {
    mkdirSync(join(this.path, 'node_modules'))
    symlinkSync(packageFolder, join(this.path, 'node_modules', 'celery'))
    this.write('package.json', '{ "type": "module" }')
    for (const [file, content] of Object.entries(files)) this.write(file, content)
  }

  write(file: string, content: string): void {
    mkdirSync(dirname(join(this.path, file)), { recursive: true })
    writeFileSync(join(this.path, file), content)
  }

  /** Starts `celery ARGUMENTS…`. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): CeleryProcess {
    return new CeleryProcess(args, this.#environment(env), this.path)
  }

  /** Runs `celery ARGUMENTS…` to its end. */
  async run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandEnd> {
    const command = this.start(args, env)
    const status = await command.exit()
    return { status, output: command.output, log: command.log }
  }

  /** Runs `celery ARGUMENTS…` with something to read. */
  async runWithInput(input: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandEnd> {
    const child = spawn(process.execPath, [celeryBin, ...args], { cwd: this.path, env: this.#environment(env) })
    const ended = once(child, 'close')
    child.stdin.end(input)
    const [output, log] = await Promise.all([text(child.stdout), text(child.stderr)])
    const [status, signal] = await ended
    return { status: status ?? signal, output, log }
  }

  #environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    return {
      ...withoutRunner(process.env),
      CELERY_LOCAL: this.broker,
      CELERY_RUNTIME_DIR: join(this.path, 'run'),
      ...env,
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** The tests may have been started by a package runner, or have an app of their own in the environment. */
function withoutRunner({ npm_config_user_agent: _, CELERY_APP: _app, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return env
}
