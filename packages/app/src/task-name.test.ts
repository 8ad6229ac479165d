import { describe, expect, test } from 'vitest'
import { taskNameOf } from './task-name.ts'

const options = { root: '/srv/proj', main: 'app', program: '/srv/proj/main.ts' }

describe('a task without a name is called after its module', () => {
  test.each([
    ['file:///srv/proj/tasks.ts', 'tasks.add'],
    ['file:///srv/proj/video/tasks.mjs', 'video.tasks.add'],
    ['file:///srv/proj/video/index.js', 'video.add'],
    ['file:///srv/proj/index.js', 'index.add'],
    ['file:///srv/other/tasks.cjs', 'other.tasks.add'],
    ['file:///srv/proj/main.ts', 'app.add'],
  ])('%s: %s', (module, name) => {
    expect(taskNameOf('add', module, options)).toBe(name)
  })
})
