export { SoftTimeLimitExceeded } from '../errors.ts'
export { type Handler, type Job, type Reply, type ServeJobsOptions, serveJobs } from './serve-jobs.ts'
