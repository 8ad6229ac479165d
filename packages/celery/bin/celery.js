#!/usr/bin/env node
import { main } from '@celery/cli'

await main(process.argv)
