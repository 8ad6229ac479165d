/** The next version of the tasks, as a rolling deploy brings it: with one that the workers before it do not know. */
import { app, declareAdded } from './deploying-tasks.ts'

declareAdded(app)

export { app }
