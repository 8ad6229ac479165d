import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Takes memory beyond a limit from a process as the kernel does: with SIGKILL, and without asking. By a control group
 * where this user may make one, else by looking on and killing.
 */
export async function limitMemory(pid: number, limitBytes: number): Promise<AsyncDisposable> {
  const group = memoryGroup(limitBytes)
  if (group === undefined) return watchMemory(pid, limitBytes)
  writeFileSync(join(group, 'cgroup.procs'), String(pid))
  return {
    async [Symbol.asyncDispose]() {
      while (readFileSync(join(group, 'cgroup.procs'), 'utf8') !== '') await sleep(10)
      rmdirSync(group)
    },
  }
}

/** The folder of a new control group, of either version of the interface. */
function memoryGroup(limitBytes: number): string | undefined {
  const layouts = [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ] as const
  for (const [root, file] of layouts) {
    const group = join(root, `celery-test-${process.pid}`)
    try {
      mkdirSync(group)
    } catch {
      continue
    }
    if (existsSync(join(group, file))) {
      writeFileSync(join(group, file), String(limitBytes))
      return group
    }
    rmdirSync(group)
  }
  return undefined
}

function watchMemory(pid: number, limitBytes: number): AsyncDisposable {
  const before = residentBytes(pid)
  const timer = setInterval(() => {
    if (residentBytes(pid) - before > limitBytes) process.kill(pid, 'SIGKILL')
  }, 5)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
    },
  }
}

/** 0 of a process that has ended. */
export function residentBytes(pid: number): number {
  try {
    return Number.parseInt(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0', 10) * 1_024
  } catch {
    return 0
  }
}

/** Lets a process open no file, whatever it closes; returns what takes the limit away. */
export function forbidFiles(pid: number): () => void {
  const setLimit = (limit: string): void => {
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`])
  }
  const before = /^Max open files\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? '1024'
  setLimit('1')
  return () => setLimit(before)
}

/** Milliseconds of computing that a process has used. */
export function computedMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // In ticks of 10 ms: fields 14 and 15.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Gives processes a tenth of the time: stops them nine times as long as it lets them run. */
export function starve(pids: readonly number[], periodMs = 200): AsyncDisposable {
  const over = new AbortController()
  const send = (signal: NodeJS.Signals): void => {
    for (const pid of pids) {
      try {
        process.kill(pid, signal)
      } catch {
        // It has ended.
      }
    }
  }
  const cycle = async (): Promise<void> => {
    while (!over.signal.aborted) {
      send('SIGSTOP')
      await sleep(periodMs * 0.9)
      send('SIGCONT')
      await sleep(periodMs * 0.1)
    }
  }
  const running = cycle()
  return {
    async [Symbol.asyncDispose]() {
      over.abort()
      await running
    },
  }
}
