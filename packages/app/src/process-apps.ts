import { AsyncLocalStorage } from 'node:async_hooks'
import type { CeleryApp } from './celery-app.ts'

/** The apps of this process, for what works without naming one: `currentApp()`, shared tasks. */
const scoped = new AsyncLocalStorage<CeleryApp>()
/** Weakly held, so that an app that nobody closes can go too. */
const live = new Set<WeakRef<CeleryApp>>()
const shared: ((app: CeleryApp) => void)[] = []
let current: CeleryApp | undefined
let fallback: CeleryApp | undefined

/** The app of the nearest {@link runWithApp}, else the last that made itself current, else the default one. */
export function findCurrentApp(): CeleryApp | undefined {
  return scoped.getStore() ?? current ?? fallback
}

/** Runs `body`, and what it awaits, with `app` as the current one. */
export function runWithApp<T>(app: CeleryApp, body: () => T): T {
  return scoped.run(app, body)
}

export function setCurrentApp(app: CeleryApp): void {
  current = app
}

export function setDefaultApp(app: CeleryApp): void {
  fallback = app
}

/** Makes an app known here; it gets the tasks that are shared. */
export function addApp(app: CeleryApp): void {
  for (const ref of live) if (ref.deref() === undefined) live.delete(ref)
  live.add(new WeakRef(app))
  for (const declare of shared) declare(app)
}

/** Of an app that was closed. */
export function removeApp(app: CeleryApp): void {
  for (const ref of live) if (ref.deref() === app) live.delete(ref)
  if (current === app) current = undefined
  if (fallback === app) fallback = undefined
}

/** Does it to every app, those to come too. */
export function forEveryApp(declare: (app: CeleryApp) => void): void {
  shared.push(declare)
  for (const ref of live) {
    const app = ref.deref()
    if (app !== undefined) declare(app)
  }
}
