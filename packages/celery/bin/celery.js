#!/usr/bin/env node
import { main } from '@celery/cli'
import * as celery from '../dist/index.js'

await main(process.argv, { newApp: () => new celery.Celery('default'), shellNames: celery })
