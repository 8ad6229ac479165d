export { SoftTimeLimitExceeded } from '../errors.ts'
export {
  type ChildPlace,
  type Handler,
  type Job,
  type Reply,
  type ServeJobsOptions,
  type Setup,
  serveJobs,
} from './serve-jobs.ts'
