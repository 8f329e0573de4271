import asyncio
import time
from concurrent.futures import Future
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection

from audit.chain import write_alone
from audit.services import record, record_later
from audit.verification import verify
from common import writer as writer_module
from common.db import in_db
from common.writer import GroupWriter, Job, QueueFullError, WriterUnavailableError, writer
from connectors.providers.goals import create
from tests.factories import make_connection


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


class LostAnswers:
    """A handler that commits, while the answer is lost with the connection, as often as told."""

    def __init__(self, write, times):
        self.write, self.times = write, times

    def __call__(self, payloads):
        results = self.write(payloads)
        if self.times:
            self.times -= 1
            connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        return results


@pytest.mark.parametrize("times", [1, 2])
async def test_a_row_whose_commit_was_not_answered_is_not_written_again(call, rows, monkeypatch, times):
    monkeypatch.setitem(writer._alone, "audit", LostAnswers(write_alone, times))
    many = [record(call(f"call {n}"), deadline=time.monotonic() + 10) for n in range(5)]
    await asyncio.gather(*many)
    await record(call("after"))
    written = await in_db(rows)
    assert sorted(row.name for row in written) == ["after", *(f"call {n}" for n in range(5))]
    assert await in_db(lambda: verify(written[0].chain).ok)


async def test_a_goal_whose_commit_was_not_answered_is_not_made_again(tenant, monkeypatch):
    goals = await in_db(make_connection, tenant, "goals")
    monkeypatch.setitem(writer._alone, create.KIND, LostAnswers(create.write_goals_alone, 1))
    new = [create.NewGoal(tenant.pk, goals.pk, f"t{n}", "d", 2, "[]", "{}", "x", uuid4()) for n in range(3)]
    results = await asyncio.gather(*[writer.submit_async(create.KIND, goal) for goal in new])
    assert [number for number, _ in results] == [1, 2, 3]
    assert await in_db(create.Goal.objects.for_tenant(tenant).count) == 3


def test_a_poison_write_after_a_lost_connection_fails_alone():
    mine, calls = GroupWriter(), []

    def handler(payloads):
        calls.append(list(payloads))
        if len(calls) == 1:
            raise OperationalError("gone")
        if "poison" in payloads:
            raise ValueError("poison")
        return [name.upper() for name in payloads]

    mine.register("test", handler, order=1)
    jobs = [Job("test", name, Future()) for name in ("a", "poison", "b")]
    mine._write(jobs)
    assert [job.result for job in jobs if job.payload != "poison"] == ["A", "B"]
    assert isinstance(jobs[1].result, ValueError)
