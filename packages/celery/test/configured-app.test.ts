import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { ProjectFolder } from './project-folder.ts'

afterEach(() => vi.unstubAllEnvs())

test('a worker and its processes find the tasks and the settings that the app does not name', async () => {
  await using project = new ProjectFolder()
  for (const folder of ['apps/mail', 'apps/shop']) mkdirSync(join(project.path, folder), { recursive: true })
  project.write('celery.config.mjs', 'export default { task_default_queue: "configured" }')
  project.write(
    'proj.mjs',
    `import { Celery } from 'celery'
     export const app = new Celery('proj')
     app.autodiscoverTasks(['apps/*'])`,
  )
  for (const name of ['mail', 'shop']) {
    project.write(
      `apps/${name}/tasks.mjs`,
      `import { app } from '../../proj.mjs'
       app.task(app.genTaskName('tell', import.meta.url), () => \`${name} \${app.conf.taskDefaultQueue}\`)`,
    )
  }
  project.write(
    'client.mjs',
    `import { app } from './proj.mjs'
     await app.configure()
     await app.loadModules()
     for (const name of app.tasks.keys()) {
       const result = await app.tasks.lookUp(name).delay()
       console.log(name, await result.get({ timeout: 30 }))
     }
     await app.close()`,
  )
  vi.stubEnv('CELERY_CONFIG_MODULE', 'celery.config.mjs')
  const worker = await project.startWorker('-A', 'proj.mjs', 'worker', '-c', '1', '-l', 'info')
  expect(await project.run('client.mjs')).toEqual([
    'apps.mail.tasks.tell mail configured',
    'apps.shop.tasks.tell shop configured',
  ])
  expect(await worker.stop('SIGTERM')).toBe(0)
})
