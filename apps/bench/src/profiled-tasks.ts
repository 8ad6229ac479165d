/** The tasks, in processes and threads that write down where their time goes. */
import { recordProfile } from './profile/record-profile.ts'

recordProfile()

export { app } from './tasks.ts'
