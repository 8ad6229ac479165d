import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'

/** `celery report`: what to put into a bug report. */
export function reportCommand(program: Command, context: CommandContext): void {
  program
    .command('report')
    .description('print versions, platform and settings, without secrets, for a bug report')
    .action(async () => {
      const { app } = await context.openApp()
      process.stdout.write(app.bugreport())
    })
}
