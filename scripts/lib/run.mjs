import { spawn } from 'node:child_process'
import { root } from './paths.mjs'

/** A command ended with an exit status other than 0; whoever ran it decides what that means. */
export class CommandFailed extends Error {
  /**
   * @param {string} command
   * @param {number} status
   * @param {string} output
   */
  constructor(command, status, output = '') {
    super(`${command} ended with status ${status}`)
    this.status = status
    /** What it printed, where that was captured. */
    this.output = output
  }
}

/**
 * Runs a command on our own terminal and resolves to its exit status.
 *
 * Ctrl-C reaches the whole process group, so we only have to outlive the child to report its status;
 * a signal sent to us alone is passed on.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, { cwd = root, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' })
    const ignore = () => {}
    const pass = () => child.kill('SIGTERM')
    process.on('SIGINT', ignore)
    process.on('SIGTERM', pass)
    const settle = () => {
      process.off('SIGINT', ignore)
      process.off('SIGTERM', pass)
    }
    child.once('error', (error) => {
      settle()
      reject(error)
    })
    child.once('close', (status, signal) => {
      settle()
      resolve(status ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })
}

/**
 * As {@link run}, but a status other than 0 rejects with {@link CommandFailed}.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export async function runOrFail(command, args, options) {
  const status = await run(command, args, options)
  if (status !== 0) throw new CommandFailed([command, ...args].join(' '), status)
}

/**
 * Runs a command and resolves to what it printed, standard output and error in one text.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options]
 * @returns {Promise<{ status: number, output: string }>}
 */
export function capture(command, args, { cwd = root, env = process.env, timeoutMs = 600_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
    })
    child.once('error', reject)
    child.once('close', (status, signal) => {
      if (status === null) output += `\n${command} was ended by ${signal} (limit ${timeoutMs / 1000} s)\n`
      resolve({ status: status ?? 1, output })
    })
  })
}
