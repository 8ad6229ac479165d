"""The same work for the original: a task that does nothing and keeps nothing, under default settings.

Imported by its worker; run as a program it is the client:

    python3 bench_tasks.py BROKER_URL

reads what to send from each line of its input, JSON with the name of a task, the size of its argument and how many
there are to be, and answers with how long sending took and how long the worker took to run them, in seconds.
"""

import json
import sys
import time

from celery import Celery
from celery.signals import worker_ready

app = Celery('bench_tasks')


@app.task(ignore_result=True)
def noop(padding):
    pass


@app.task(ignore_result=True)
def wait():
    time.sleep(0.005)


@worker_ready.connect
def announce(sender, **_):
    # At the default log level, which is the one to measure at, the worker itself does not say so.
    print(f'{sender.hostname} ready.', flush=True)


# The worker does not consume from here. Renamed as a whole it becomes the worker's queue, all at once.
FILLING = 'filling'
QUEUE = 'celery'


def drain(redis, task, padding, tasks):
    args = (padding,) if task is noop else ()
    started = time.perf_counter()
    for _ in range(tasks):
        task.apply_async(args, queue=FILLING)
    filled = time.perf_counter()
    redis.rename(FILLING, QUEUE)
    released = time.perf_counter()
    # A message leaves `unacked` when its task starts, so the end that is seen here is, if anything, too early.
    while redis.llen(QUEUE) + redis.hlen('unacked') > 0:
        time.sleep(0.01)
    return {'sendSeconds': filled - started, 'seconds': time.perf_counter() - released}


def main(broker):
    from redis import Redis

    app.conf.broker_url = broker
    redis = Redis.from_url(broker)
    for line in sys.stdin:
        order = json.loads(line)
        task = {'noop': noop, 'wait': wait}[order['task']]
        print(json.dumps(drain(redis, task, 'x' * order['argumentBytes'], order['tasks'])), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
