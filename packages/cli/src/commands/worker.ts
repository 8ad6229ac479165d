import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { addWorkerOptions, type WorkerFlags } from './worker-flags.ts'

/** `celery worker`: consumes tasks until it is told to stop. */
export function workerCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('worker')
    .description('run a worker: take tasks from the queues and run them')
    .argument('[settings...]', 'after --: settings of the app, such as task_acks_late=true')
    .addHelpText('after', examples)
  const readFlags = addWorkerOptions(command)
  command.action(async (settings: readonly string[], flags: WorkerFlags) => {
    const { runWorker } = await import('../run-worker.ts')
    await runWorker(context, settings, readFlags(flags))
  })
}

const examples = `
Examples:
  celery -A ./tasks.ts worker -l INFO -c 4
  celery -A ./tasks.ts worker -Q video,mail -n 'video@%h' -P threads
  celery -A ./tasks.ts worker -- task_acks_late=true worker.log_color=false`
