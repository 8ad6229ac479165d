/**
 * The first code of every pool child. It loads the module named in `argv[2]`, which calls `serveJobs`; its own purpose
 * is to send home the error text of a module that cannot be loaded.
 */
import { describeError } from '../errors.ts'
import { FrameKind, FrameWriter } from '../frame.ts'
import { writeToParent } from './channel.ts'
import { markAsPoolChild } from './pool-child-kind.ts'
import { setYoungGenerationGrowth } from './young-generation.ts'

// A terminal sends these to the whole process group. The pool's owner hears them too and decides what becomes of us.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
  if (process.platform !== 'win32' || signal !== 'SIGQUIT') process.on(signal, () => {})
}

markAsPoolChild('process')
// Until the modules are loaded; `serveJobs` takes it back.
setYoungGenerationGrowth(1)
import(process.argv[2] as string).catch((error: unknown) => {
  const writer = new FrameWriter(writeToParent)
  writer.append(FrameKind.startFailed, 0, 0, JSON.stringify(describeError(error)))
  writer.flush()
  process.exit(1)
})
