import type { Client } from './client.ts'
import { PythonClient } from './python-client.ts'
import type { Language, Setup } from './setup.ts'
import { TypescriptClient } from './typescript-client.ts'

export function openClient(language: Language, setup: Setup): Client {
  return language === 'python' ? new PythonClient(setup) : new TypescriptClient(setup)
}
