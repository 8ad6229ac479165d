/**
 * The first code of every pool thread, as `main.ts` is of a process. It loads the module named in `argv[2]`, which calls
 * `serveJobs`.
 */
import { describeError } from '../errors.ts'
import { FrameKind, FrameWriter } from '../frame.ts'
import { markAsPoolChild } from './pool-child-kind.ts'
import { postToPool } from './thread-channel.ts'
import { useTsxOfProgram } from './tsx-in-threads.ts'

markAsPoolChild('thread')
useTsxOfProgram()
  .then(() => import(process.argv[2] as string))
  .catch((error: unknown) => {
    const writer = new FrameWriter(postToPool)
    writer.append(FrameKind.startFailed, 0, 0, JSON.stringify(describeError(error)))
    writer.flush()
    process.exit(1)
  })
