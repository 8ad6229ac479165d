"""The tasks of a chaos run as Python has them: their first and their last act is a line in the ledger."""

import itertools
import os
import time

from celery import Celery

app = Celery("chaos")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_connection_retry_on_startup=True,
)

counter = itertools.count()


def note(line):
    """One write to a file opened for appending, so that processes do not mix their lines."""
    file = os.open(os.environ["CELERY_CHAOS_LEDGER"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


def now():
    return int(time.time() * 1000)


def record(task, milliseconds):
    attempt = f"py{os.getpid():x}-{now():x}-{next(counter)}"
    note(f"start {task.request.id} {attempt} {os.getpid()} {os.getppid()} {now()}")
    time.sleep(milliseconds / 1000)
    note(f"end {task.request.id} {attempt} {now()}")
    return attempt


@app.task(name="chaos.noop", bind=True, ignore_result=True)
def noop(self):
    record(self, 0)


@app.task(name="chaos.sleep", bind=True, track_started=True)
def rest(self, milliseconds):
    return record(self, milliseconds)


@app.task(name="chaos.next", bind=True)
def following(self, _previous, milliseconds):
    return record(self, milliseconds)


@app.task(name="chaos.burn", bind=True)
def burn(self, milliseconds):
    return record(self, milliseconds)


@app.task(name="chaos.fail", bind=True)
def fail(self, milliseconds):
    raise RuntimeError(record(self, milliseconds))


@app.task(name="chaos.rescue", bind=True, ignore_result=True)
def rescue(self, _failed):
    record(self, 0)
