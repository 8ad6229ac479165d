"""A client of Python Celery that is told what to do by lines of JSON on standard input, and answers on standard output.

Each request has an `id`, an `op` and the arguments of that; the answer has the same `id` and either `value` or `error`.
What JSON cannot hold stands as {"$bytes": hex} or {"$datetime": ISO 8601}.
"""
import json
import os
import sys
import time
from datetime import datetime, timezone

# Answers are all that standard output is for.
answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
os.dup2(2, 1)

import redis  # noqa: E402
from celery import chain, states  # noqa: E402
from celery.exceptions import TimeoutError  # noqa: E402
from celery.result import AsyncResult  # noqa: E402
from kombu import Exchange  # noqa: E402

from interop_app import app, setup  # noqa: E402

store = redis.Redis.from_url(setup['broker'])


def native(value):
    if isinstance(value, dict):
        if set(value) == {'$bytes'}:
            return bytes.fromhex(value['$bytes'])
        if set(value) == {'$datetime'}:
            return datetime.fromisoformat(value['$datetime'])
        return {name: native(item) for name, item in value.items()}
    return [native(item) for item in value] if isinstance(value, list) else value


def plain(value):
    if isinstance(value, bytes):
        return {'$bytes': value.hex()}
    if isinstance(value, datetime):
        return {'$datetime': value.astimezone(timezone.utc).isoformat()}
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def signature(call):
    options = dict(call.get('options') or {})
    for name in ('eta', 'expires'):
        if isinstance(options.get(name), str):
            options[name] = datetime.fromisoformat(options[name])
    exchange_type = options.pop('exchange_type', None)
    if exchange_type is not None:
        exchange = Exchange(options['exchange'], type=exchange_type)
        options['exchange'] = exchange
        options['declare'] = [exchange]
    made = app.signature(call['task'], args=native(call.get('args') or []), kwargs=native(call.get('kwargs') or {}))
    made.set(**options)
    if call.get('immutable'):
        made = made.set(immutable=True)
    for linked in call.get('link') or []:
        made.link(signature(linked))
    for linked in call.get('linkError') or []:
        made.link_error(signature(linked))
    return made


def send(call):
    return signature(call).apply_async().id


def send_chain(calls):
    last = chain(*[signature(call) for call in calls]).apply_async()
    ids = []
    while last is not None:
        ids.insert(0, last.id)
        last = last.parent
    return ids


def outcome(id):
    result = AsyncResult(id, app=app)
    meta = result.backend.get_task_meta(id, cache=False)
    # Before its end they are not results yet; several callbacks are sent as a group.
    children = result.children or [] if meta['status'] in states.READY_STATES else []
    tasks = [task for each in children for task in getattr(each, 'results', None) or [each]]
    value = meta['result']
    error = isinstance(value, BaseException)
    return {
        'state': meta['status'],
        'result': None if error else plain(value),
        'error': {'type': type(value).__name__, 'message': str(value)} if error else None,
        'traceback': meta.get('traceback'),
        'children': [task.id for task in tasks],
        'extended': {name: plain(meta.get(name)) for name in ('name', 'args', 'kwargs', 'worker', 'retries', 'queue')},
    }


def wait(id, timeout):
    # The subscription of this client may reach the server after its look at the store and after the news: then it waits in
    # vain, and only another look helps.
    deadline = time.monotonic() + timeout
    while True:
        try:
            AsyncResult(id, app=app).get(timeout=2, propagate=False)
            return outcome(id)
        except TimeoutError:
            if time.monotonic() > deadline:
                raise


def wait_for_news(id, timeout):
    AsyncResult(id, app=app).get(timeout=timeout, propagate=False)
    return outcome(id)


def redis_command(command):
    def text(value):
        if isinstance(value, bytes):
            return value.decode('utf-8', 'replace')
        if isinstance(value, dict):
            return [text(part) for pair in value.items() for part in pair]
        if isinstance(value, (list, tuple, set)):
            return [text(part) for part in value]
        return value

    return text(store.execute_command(*command))


operations = {
    'send': send,
    'sendMany': lambda calls: [send(call) for call in calls],
    'sendChain': send_chain,
    'outcome': outcome,
    'wait': wait,
    'waitForNews': wait_for_news,
    'waitAll': lambda ids, timeout: [wait(id, timeout) for id in ids],
    'forget': lambda id: AsyncResult(id, app=app).forget(),
    'redis': redis_command,
    'now': lambda: time.time(),
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {'value': operations[request['op']](*request['args'])}
    except Exception as error:
        answer = {'error': {'type': type(error).__name__, 'message': str(error)}}
    answers.write(json.dumps({'id': request['id'], **answer}) + '\n')
    answers.flush()
