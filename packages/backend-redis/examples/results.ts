import { redis } from '@celery/backend-redis'

await using backend = await redis.open(process.env['REDIS_URL'] ?? 'redis://localhost/0')
let tell = (_taskId: string): void => undefined
const told = new Promise<string>((resolve) => {
  tell = resolve
})
await using _watch = await backend.watch(['a'], tell)
await backend.store([{ taskId: 'a', state: 'SUCCESS', record: '{"status": "SUCCESS", "result": 5}', ttlMs: 60_000 }])
console.log(await told, 'has changed') // a has changed
console.log(String((await backend.fetch(['a'])).get('a')?.record)) // {"status": "SUCCESS", "result": 5}
