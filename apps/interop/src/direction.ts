import type { Language } from './setup.ts'

/** Who sends and who runs. */
export interface Direction {
  readonly client: Language
  readonly worker: Language
}

/** The two that are asked for. */
export const directions: readonly Direction[] = [
  { client: 'python', worker: 'typescript' },
  { client: 'typescript', worker: 'python' },
]

/** Python by itself: a cell that fails here asks for what Celery does not do. */
export const selfCheck: Direction = { client: 'python', worker: 'python' }

export function directionName({ client, worker }: Direction): string {
  return `${client} > ${worker}`
}

export function otherLanguage(language: Language): Language {
  return language === 'python' ? 'typescript' : 'python'
}
