#!/usr/bin/env node
import { main } from '@celery/cli'

main(process.argv)
