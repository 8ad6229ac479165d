"""The tasks of the Python side. `src/tasks.ts` declares the same ones; what a run shares is in the environment."""
import json
import os
import time
from datetime import datetime, timezone

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from kombu import Exchange, Queue

setup = json.loads(os.environ['CELERY_INTEROP_SETUP'])

app = Celery('interop', broker=setup['broker'], backend=setup['backend'])
app.conf.update(setup['settings'])
if setup['queues']:
    app.conf.task_queues = [
        Queue(each['name'], Exchange(each['exchange'], type=each['exchangeType']), routing_key=each['routingKey'])
        for each in setup['queues']
    ]


class OrderRefused(Exception):
    """A class that only this side has."""


def note(what, text):
    line = json.dumps({'what': what, 'text': text, 'language': 'python', 'at': time.time()}) + '\n'
    # One write to a file that is only appended to: lines of several processes do not mix.
    descriptor = os.open(setup['notes'], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def wait_for(gate):
    while not os.path.exists(gate):
        time.sleep(0.02)


@app.task(name='interop.echo')
def echo(value):
    return value


@app.task(name='interop.add')
def add(x, y):
    return x + y


@app.task(name='interop.join')
def join(first, second='two', third='three'):
    return [first, second, third]


@app.task(name='interop.type_of')
def type_of(value):
    names = {
        type(None): 'null', bool: 'boolean', int: 'integer', float: 'float', str: 'text', bytes: 'bytes',
        list: 'list', dict: 'object', datetime: 'datetime',
    }
    return names.get(type(value), type(value).__name__)


@app.task(name='interop.note')
def write_note(text):
    note('run', text)
    return text


@app.task(name='interop.slow_note', acks_late=True)
def slow_note(text):
    time.sleep(0.002)
    note('run', text)
    return 'python'


@app.task(name='interop.now')
def now():
    return time.time()


@app.task(name='interop.fail')
def fail(kind, message):
    classes = {'value': ValueError, 'type': TypeError, 'own': OrderRefused}
    raise classes[kind](message)


@app.task(name='interop.retry', bind=True)
def retry(self, times, most, countdown):
    if self.request.retries < times:
        raise self.retry(countdown=countdown, max_retries=most, exc=TypeError('not yet'))
    return self.request.retries


@app.task(name='interop.progress', bind=True)
def progress(self, gate):
    self.update_state(state='PROGRESS', meta={'done': 1, 'of': 2})
    wait_for(gate)
    return 'done'


@app.task(name='interop.tracked', track_started=True)
def tracked(gate):
    wait_for(gate)
    return 'done'


@app.task(name='interop.hold', acks_late=True)
def hold(gate, text):
    note('started', text)
    wait_for(gate)
    note('run', text)
    return 'python'


@app.task(name='interop.ignored', ignore_result=True)
def ignored(text):
    note('run', text)
    return text


@app.task(name='interop.overrun')
def overrun():
    try:
        while True:
            time.sleep(0.05)
    except SoftTimeLimitExceeded:
        return 'ended by itself'


@app.task(name='interop.stuck')
def stuck():
    while True:
        time.sleep(0.05)


@app.task(name='interop.request', bind=True)
def request(self):
    given = self.request
    return {
        'id': given.id,
        'root_id': given.root_id,
        'parent_id': given.parent_id,
        'retries': given.retries,
        'hard_limit': given.timelimit[0],
        'soft_limit': given.timelimit[1],
        'shadow': given.shadow,
        'custom': getattr(given, 'interop_custom', None),
        'group': given.group,
    }


@app.task(name='interop.parent')
def parent(queue):
    return request.apply_async(queue=queue).id


@app.task(name='interop.report')
def report(failed_id):
    note('report', failed_id)
