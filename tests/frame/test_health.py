import asyncio

import pytest
from django.test import AsyncClient, override_settings

from portico import health, invariants

PARTS = {"database", "migrations", "redis", "broker", "audit_writer"}


@pytest.fixture(autouse=True)
def _forget():
    health._last = None
    yield
    health._last = None


@pytest.mark.parametrize("path", ["/healthz", "/health"])
async def test_the_process_says_that_it_lives(path):
    answer = await AsyncClient().get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_readyz_names_every_part_and_is_200_when_all_answer():
    answer = await AsyncClient().get("/readyz")
    assert answer.json() == {"status": "ok", "checks": dict.fromkeys(PARTS, "ok")}
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"


async def test_readyz_is_503_without_the_broker_and_tells_no_password():
    with override_settings(CELERY_BROKER_URL="redis://:sesame@127.0.0.1:1/0"):
        answer = await AsyncClient().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] == "failed (ConnectionError)"
    assert answer.json()["checks"]["redis"] == "ok"
    assert b"sesame" not in answer.content


async def test_a_part_that_hangs_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)

    async def accept(reader, writer):  # a server that never answers
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with override_settings(CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0"):
        answer = await asyncio.wait_for(AsyncClient().get("/readyz"), 5)
    server.close()
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] in {"no answer in time", "failed (TimeoutError)"}


async def test_many_who_ask_at_once_cost_one_round_of_checks(monkeypatch):
    rounds = 0
    real = health._database

    async def counted():
        nonlocal rounds
        rounds += 1
        return await real()

    monkeypatch.setattr(health, "_database", counted)
    monkeypatch.setattr(health, "REMEMBERED_S", 60.0)  # a busy machine takes its time over ten requests
    answers = await asyncio.gather(*(AsyncClient().get("/readyz") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert rounds == 1


def test_the_test_database_commits_durably():
    assert invariants.database_problems() == []


def test_a_database_that_may_lose_commits_is_refused():
    from django.db import connection

    statement = "PRAGMA synchronous={}" if connection.vendor == "sqlite" else "SET synchronous_commit = {}"
    with connection.cursor() as cursor:
        cursor.execute(statement.format("off"))
    try:
        assert len(invariants.database_problems()) == 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute(statement.format("full" if connection.vendor == "sqlite" else "on"))


def test_a_redis_server_that_evicts_is_refused():
    class Evicting:
        def ping(self):
            return True

        def config_get(self, name):
            return {name: "allkeys-lru"}

    (problem,) = invariants.redis_problems(Evicting())
    assert "set maxmemory-policy to noeviction" in problem
    assert invariants.redis_problems() == []


def test_a_secret_whose_key_is_missing_refuses_the_start(monkeypatch):
    from common.keyring import KeyRing
    from tests.factories import make_tenant

    make_tenant()

    class Other:
        def keys(self):
            return {"other": b"0" * 32}

    monkeypatch.setattr("common.vault.ring", lambda: KeyRing(Other()))
    (problem,) = invariants.key_problems()
    assert "PORTICO_KEYS does not hold" in problem
