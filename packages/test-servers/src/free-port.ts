import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the range from which Linux takes ports for outgoing connections (32768 and up), so that none of those sits on a
// server's port while it is down between a kill and a restart.
const LOWEST_PORT = 20_000
const HIGHEST_PORT = 32_700

/**
 * A loopback port that was free a moment ago. Another process can still be quicker: who starts a server on it tries
 * another one when the address turns out to be in use.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT + 1)
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(server, 'listening')
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
    throw error
  } finally {
    server.close()
  }
}
