import asyncio
import time

import psycopg
import pytest
from django.db import connection

from audit.services import record, record_later
from common import writer as writer_module
from common.db import in_db
from common.writer import GroupWriter, QueueFullError, WriterUnavailableError, writer


class Outage:
    """The database refuses the writer: its backend is ended and no new one may connect."""

    def __init__(self):
        database = connection.settings_dict
        self.name = database["NAME"]
        self.admin = psycopg.connect(
            host=database["HOST"],
            port=database["PORT"],
            user=database["USER"],
            dbname="postgres",
            autocommit=True,
        )

    def __enter__(self):
        self.admin.execute(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS false')
        self.admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND application_name = 'portico-writer'",
            (self.name,),
        )
        return self

    def end(self):
        self.admin.execute(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS true')

    def __exit__(self, *_):
        self.end()
        self.admin.close()


postgres = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="a file cannot be unplugged; PostgreSQL can"
)


@postgres
async def test_without_a_database_a_call_is_refused_quickly_and_an_executed_one_is_kept(call, rows):
    await record(call("before"))
    with Outage() as outage:
        started = time.monotonic()
        with pytest.raises(WriterUnavailableError):
            await record(call("refused"))
        executed = asyncio.ensure_future(record(call("executed"), deadline=time.monotonic() + 30))
        record_later(call("also executed"), deadline=time.monotonic() + 30)
        with pytest.raises(WriterUnavailableError):
            await record(call("refused too"))
        with pytest.raises(WriterUnavailableError):
            await record(call("too late"), deadline=time.monotonic() + 0.5)
        assert time.monotonic() - started < 4
        assert not executed.done()
        outage.end()
        await asyncio.wait_for(executed, 10)
    await record(call("after"))
    assert {row.name for row in await in_db(rows)} == {"before", "executed", "also executed", "after"}


@postgres
async def test_a_dropped_connection_costs_no_call(call, rows):
    await record(call("before"))
    with Outage() as outage:
        outage.end()
        await record(call("after"))
    assert [row.name for row in await in_db(rows)] == ["before", "after"]


def test_one_owner_cannot_fill_the_queue_for_the_others(monkeypatch):
    monkeypatch.setattr(writer_module, "MAX_PER_OWNER", 3)
    monkeypatch.setattr(writer_module, "MAX_QUEUE", 5)
    mine = GroupWriter()
    gate, done = __import__("threading").Event(), []

    def slow(payloads):
        gate.wait(10)
        done.extend(payloads)
        return payloads

    mine.register("test", slow, order=1)
    first = mine.submit("test", 0, owner="a")
    while mine.depth:  # the thread has taken it and waits at the gate
        time.sleep(0.001)
    waiting = [mine.submit("test", number, owner="a") for number in range(3)]
    with pytest.raises(QueueFullError):
        mine.submit("test", 3, owner="a")
    waiting += [mine.submit("test", number, owner="b") for number in (10, 11)]
    with pytest.raises(QueueFullError):
        mine.submit("test", 12, owner="c")
    gate.set()
    assert [future.result(10) for future in [first, *waiting]] == [0, 0, 1, 2, 10, 11]
    mine.stop()


async def test_a_cancelled_wait_does_not_cancel_the_write(call, rows):
    task = asyncio.ensure_future(record(call("shielded")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await in_db(writer.flush)
    assert [row.name for row in await in_db(rows)] == ["shielded"]
