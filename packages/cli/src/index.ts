export type { CommandOptions } from './command-context.ts'
export { main } from './main.ts'
export { runCommand } from './run-command.ts'
