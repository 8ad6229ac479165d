import type { Command } from 'commander'
import { UsageError } from '../usage-error.ts'

/** Commands of Celery that are about parts which are not here yet. */
const later: Readonly<Record<string, string>> = {
  amqp: 'administration of exchanges and queues',
  beat: 'the scheduler',
  control: 'remote control',
  events: 'events',
  flower: 'the web monitor',
  graph: 'graphs of workers',
  inspect: 'remote control',
  list: 'lists of bindings',
  logtool: 'the analysis of logs',
  migrate: 'moving messages between brokers',
  multi: 'starting several workers at once',
  status: 'remote control',
  upgrade: 'the conversion of settings',
}

/** Says so, where "unknown command" would be misleading. They are in no list and in no suggestion. */
export function laterCommands(program: Command): void {
  for (const [name, what] of Object.entries(later)) {
    program
      .command(`${name} [arguments...]`, { hidden: true })
      .helpOption(false)
      .allowUnknownOption()
      .action(() => {
        throw new UsageError(`there is no "celery ${name}" in this release: ${what} will come with a later one`)
      })
  }
}
