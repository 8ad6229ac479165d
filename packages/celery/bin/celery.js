#!/usr/bin/env node
import { main } from '@celery/cli'

/** Only when a command needs it: many load it with the app's own module, and `--help` never does. */
const load = () => import('../dist/index.js')

await main(process.argv, { newApp: async () => new (await load()).Celery('default'), shellNames: load })
