import { serveJobs } from '@celery/process-pool/child'

serveJobs(() => ({ header, body }) => ({ header, body }))
