"""The same work for the original: tasks that do nothing, under default settings.

Imported by its worker; run as a program it is the client:

    python3 bench_tasks.py BROKER_URL [RESULT_BACKEND_URL]

carries out an order for each line of its input, JSON with its name in `order`, and answers with what it took, in JSON
too. All times are in seconds.
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


@app.task
def noop_with_result(padding):
    pass


@app.task(ignore_result=True)
def wait():
    time.sleep(0.005)


@app.task
def echo(value):
    return value


@worker_ready.connect
def announce(sender, **_):
    # At the default log level, which is the one to measure at, the worker itself does not say so.
    print(f'{sender.hostname} ready.', flush=True)


# The worker does not consume from here. Renamed as a whole it becomes the worker's queue, all at once.
FILLING = 'filling'
QUEUE = 'celery'


def send(redis, task, arguments, tasks):
    """Sends one after the other, which is all that the original's client does."""
    started = time.perf_counter()
    for _ in range(tasks):
        task.apply_async(arguments, queue=FILLING)
    return time.perf_counter() - started


def measure_sending(redis, argumentBytes, tasks):
    seconds = send(redis, noop, ('x' * argumentBytes,), tasks)
    redis.delete(FILLING)
    return {'seconds': seconds}


def drain(redis, task, argumentBytes, tasks):
    task = {'noop': noop, 'noopWithResult': noop_with_result, 'wait': wait}[task]
    send_seconds = send(redis, task, () if task is wait else ('x' * argumentBytes,), tasks)
    redis.rename(FILLING, QUEUE)
    released = time.perf_counter()
    # A message leaves `unacked` when its task starts, so the end that is seen here is, if anything, too early.
    while redis.llen(QUEUE) + redis.hlen('unacked') > 0:
        time.sleep(0.01)
    return {'sendSeconds': send_seconds, 'seconds': time.perf_counter() - released}


def call(redis, task, calls):
    """Calls one after the other; the task may be a worker's of another language, so it goes by its name."""
    durations = []
    for value in range(calls):
        started = time.perf_counter()
        answer = app.send_task(task, (value,)).get(timeout=30)
        durations.append(time.perf_counter() - started)
        if answer != value:
            raise RuntimeError(f'{task} of {value} gave {answer}')
    return {'durations': durations}


def main(broker, backend=None):
    from redis import Redis

    app.conf.broker_url = broker
    if backend is not None:
        app.conf.result_backend = backend
    redis = Redis.from_url(broker)
    orders = {'call': call, 'drain': drain, 'send': measure_sending}
    for line in sys.stdin:
        order = json.loads(line)
        carry_out = orders[order.pop('order')]
        print(json.dumps(carry_out(redis, **order)), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
