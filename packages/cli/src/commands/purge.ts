import type { Command } from 'commander'
import { chooseQueues } from '../choose-queues.ts'
import type { CommandContext } from '../command-context.ts'
import { confirm } from '../confirm.ts'
import { parseListOption } from '../parse-option.ts'
import { purgeQueues } from '../purge-queues.ts'

interface PurgeFlags {
  readonly force?: boolean
  readonly queues?: readonly string[]
  readonly excludeQueues?: readonly string[]
}

/** `celery purge`: deletes what waits in the queues. */
export function purgeCommand(program: Command, context: CommandContext): void {
  program
    .command('purge')
    .description('delete all messages that wait in the queues of the app')
    .option('-f, --force', 'do not ask')
    .option('-Q, --queues <list>', 'queues to purge, separated by commas (default: those of the app)', parseListOption)
    .option('-X, --exclude-queues <list>', 'queues to leave alone, separated by commas', parseListOption)
    .action(async ({ excludeQueues, force, queues }: PurgeFlags) => {
      const { app } = await context.openApp()
      const names = chooseQueues(app, queues, excludeQueues)
      const known = `${names.length} known task ${names.length === 1 ? 'queue' : 'queues'}`
      const warning = `This deletes all messages that wait in ${known}: ${names.join(', ')}, at ${app.brokerAddress}.`
      if (force !== true && !(await confirm(warning))) {
        context.status = 1
        return
      }
      const purged = await purgeQueues(app, names)
      const count = [...purged.values()].reduce((sum, each) => sum + each, 0)
      const what = count === 0 ? 'No messages' : `${count} ${count === 1 ? 'message' : 'messages'}`
      process.stdout.write(count === 0 ? `${what} purged from ${known}.\n` : `Purged ${what} from ${known}.\n`)
    })
}
