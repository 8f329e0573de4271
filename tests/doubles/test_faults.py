"""Every fault against the client that all connectors use: what its caller gets, and what was done."""

import asyncio
import base64
import random

import pytest

from connectors.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    NotPermitted,
    RateLimited,
    TimedOut,
    UpstreamError,
)
from connectors.upstream.client import Client
from connectors.upstream.requests import Request
from connectors.upstream.retry import Kind
from tests.doubles import faults
from tests.doubles.documents import ROOT
from tests.doubles.faults import (
    Expired,
    Fault,
    GzipBomb,
    HalfBody,
    HangUp,
    HugeBody,
    InvalidJson,
    LastAnswer,
    Redirect,
    Reset,
    Silence,
    SlowDrip,
    Status,
    TooMany,
    Unavailable,
    WrongLength,
)
from tests.doubles.github import SecondaryLimit
from tests.doubles.jira import Jira
from tests.doubles.running import serving
from tests.doubles.salesforce import LockedRow, Salesforce
from tests.upstream.conftest import some_connection

READ = Request("GET", "rest/api/3/issue/PROJ-1", Kind.READ, params={"fields": "summary"})
FIELDS = {"project": {"key": "PROJ"}, "summary": "Made under faults", "issuetype": {"name": "Task"}}
CREATE = Request("POST", "rest/api/3/issue", Kind.ONCE, json={"fields": FIELDS})


class Token:
    """Ada's token; renewing gives the same one."""

    renewals = 0

    async def headers(self, *, renewed):
        self.renewals += renewed
        pair = base64.b64encode(b"ada@example.com:sandbox-jira-token").decode()
        return {"authorization": f"Basic {pair}"}


@pytest.fixture
async def client(jira, sandbox):
    made = Client(some_connection(read_s=1.0, connect_s=5.0), jira.url)
    yield made
    await made.aclose()
    await asyncio.sleep(0)


async def outcome(client, ctx, request, auth=None):
    """The kind of error, or the status; bodies are read as JSON."""
    try:
        got = await client.send(ctx(), request, auth or Token())
        got.json()
    except Exception as error:
        return type(error)
    return got.status


def made(jira):
    return sum(row["summary"] == FIELDS["summary"] for row in jira.issues.values())


# A fault; what a read ends with, and after how many sendings; what a creation ends with, and how many were made.
MATRIX = [
    (TooMany(0), (200, 2), (201, 1)),
    (TooMany(0.01, as_date=True), (200, 2), (201, 1)),
    (TooMany(60), (RateLimited, 1), (RateLimited, 0)),
    (TooMany(60, as_date=True), (RateLimited, 1), (RateLimited, 0)),
    (Unavailable(0), (200, 2), (201, 1)),
    (Unavailable(), (200, 2), (UpstreamError, 0)),
    (Status(500), (200, 2), (UpstreamError, 0)),
    (Status(502, after=True), (200, 2), (UpstreamError, 1)),
    (Status(403, "No."), (NotPermitted, 1), (NotPermitted, 0)),
    (Expired(), (200, 2), (201, 1)),
    (Reset(), (200, 2), (ConnectionFailed, 0)),
    (Reset(after=True), (200, 2), (ConnectionFailed, 1)),
    (HangUp(), (200, 2), (ConnectionFailed, 0)),
    (LastAnswer(), (200, 1), (201, 1)),
    (HalfBody(), (200, 2), (ConnectionFailed, 1)),
    (WrongLength(), (200, 2), (ConnectionFailed, 1)),
    (Silence(), (200, 2), (TimedOut, 0)),
    (Silence(after=True), (200, 2), (TimedOut, 1)),
    (InvalidJson(), (UpstreamError, 1), (UpstreamError, 0)),
    (InvalidJson(after=True), (UpstreamError, 1), (UpstreamError, 1)),
    (Redirect(), (ConnectionFailed, 1), (UpstreamError, 0)),
    (HugeBody(), (UpstreamError, 1), (UpstreamError, 0)),
    (GzipBomb(), (UpstreamError, 1), (UpstreamError, 0)),
    (SecondaryLimit(0, 429), (200, 2), (201, 1)),
]


def named(value):
    return f"{value.kind}{'-after' if value.after else ''}" if isinstance(value, Fault) else None


@pytest.mark.parametrize(("fault", "read", "creation"), MATRIX, ids=named)
async def test_each_fault_becomes_its_error_and_nothing_is_made_twice(
    client, jira, ctx, fault, read, creation
):
    jira.faults.add(fault)
    assert await outcome(client, ctx, READ) == read[0]
    assert len(jira.requests) == read[1]
    jira.faults.clear()
    jira.faults.add(fault)
    assert await outcome(client, ctx, CREATE) == creation[0]
    assert made(jira) == creation[1]


def test_the_matrix_has_every_fault():
    others = {"slow_drip", "locked_row", "too_many_at_once"}  # Salesforce's own have tests with its connector
    assert {fault.kind for fault, _, _ in MATRIX} | others == set(Fault.kinds)


async def test_a_slow_drip_ends_with_the_calls_deadline(client, jira, ctx):
    jira.faults.add(SlowDrip(pause=0.1))
    with pytest.raises(TimedOut):
        await client.send(ctx(0.5), READ, Token())


async def test_a_slow_drip_that_ends_in_time_is_an_answer(client, jira, ctx):
    jira.faults.add(SlowDrip(step=200, pause=0.01))
    assert await outcome(client, ctx, READ) == 200


async def test_a_redirect_to_a_metadata_address_is_never_followed(client, jira, ctx):
    jira.faults.add(Redirect())
    with pytest.raises(ConnectionFailed) as caught:
        await client.send(ctx(), READ, Token())
    assert caught.value.code == "forbidden_address"


async def test_a_redirect_to_another_origin_takes_no_credential_along(client, jira, ctx):
    async with serving(Jira()) as other:
        jira.faults.add(Redirect(to=f"{other.url}/rest/api/3/serverInfo"))
        assert await outcome(client, ctx, READ) == 200
        assert "authorization" not in other.requests[0].headers
        assert other.operations[0].operation == "getServerInfo"


@pytest.mark.parametrize("fault", [HugeBody(), GzipBomb()], ids=named)
async def test_a_body_beyond_the_bound_is_refused(client, jira, ctx, fault):
    jira.faults.add(fault)
    with pytest.raises(UpstreamError) as caught:
        await client.send(ctx(), READ, Token())
    assert caught.value.code == "too_large"


async def test_a_token_that_expires_once_is_renewed_once(client, jira, ctx):
    token = Token()
    jira.faults.add(Expired())
    assert await outcome(client, ctx, CREATE, token) == 201
    assert token.renewals == 1
    jira.faults.add(Expired(), times=2)
    assert await outcome(client, ctx, READ, token) is AuthenticationFailed


async def test_an_idle_connection_that_was_closed_meanwhile_costs_a_read_nothing(client, jira, ctx):
    for _ in range(3):
        jira.faults.add(LastAnswer())
        assert await outcome(client, ctx, READ) == 200


async def test_faults_strike_the_routes_that_they_are_meant_for_and_by_chance(client, jira, ctx):
    jira.faults.add(Status(404), path="createIssue")
    jira.faults.add(Status(403), method="PUT", times=None)
    assert await outcome(client, ctx, READ) == 200
    assert jira.faults.struck == []
    jira.faults.clear()
    jira.faults.add(Status(403), times=None, chance=0.5)
    ends = [await outcome(client, ctx, READ) for _ in range(30)]
    assert {200, NotPermitted} == set(ends)
    jira.faults.clear()
    assert await outcome(client, ctx, READ) == 200


def test_a_fault_is_described_and_made_from_its_description():
    for fault, _, _ in MATRIX:
        assert faults.fault_of(fault.as_dict()) == fault
    with pytest.raises(ValueError, match=r"there are: expired, .*wrong_length"):
        faults.fault_of({"fault": "earthquake"})
    with pytest.raises(ValueError, match="minutes"):
        faults.fault_of({"fault": "too_many", "minutes": 1})
    assert (ROOT / "tests/doubles/specs/jira.yaml").is_file()


async def test_a_locked_row_is_tried_again_where_the_connector_knows_its_code(sandbox, ctx):
    class Session:
        async def headers(self, *, renewed):
            return {"authorization": "Bearer sandbox-salesforce-session"}

    async with serving(Salesforce()) as double:
        client = Client(some_connection(), double.url)
        path = "services/data/v66.0/sobjects/Task"
        request = Request(
            "POST",
            path,
            Kind.ONCE,
            json={"Subject": "Call"},
            before_commit=lambda got: b"LOCK_ROW" in got.body,
        )
        double.faults.add(LockedRow())
        assert (await client.send(ctx(), request, Session())).attempts == 2
        assert len(double.rows["Task"]) == 1
        await client.aclose()
    await asyncio.sleep(0)


async def test_whatever_strikes_no_creation_happens_twice(sandbox, ctx):
    chosen = random.Random(20)
    quick = [
        Reset(),
        HangUp(),
        HalfBody(),
        WrongLength(),
        LastAnswer(),
        Expired(),
        InvalidJson(),
        TooMany(0),
        Unavailable(0),
        Unavailable(),
    ]
    quick += [Status(status) for status in (500, 502, 504)]
    lost = [
        type(fault)(**{**fault_options(fault), "after": True})
        for fault in quick
        if fault.kind in ("reset", "hang_up", "status", "invalid_json")
    ]
    async with serving(Jira(check=False)) as double:
        client = Client(some_connection(read_s=5.0), double.url)
        for number in range(200):
            double.faults.clear()
            double.faults.add(*chosen.choices(quick + lost, k=chosen.randint(0, 3)))
            fields = {**FIELDS, "summary": f"Number {number}"}
            ended = await outcome(
                client, ctx, Request("POST", "rest/api/3/issue", Kind.ONCE, json={"fields": fields})
            )
            count = sum(row["summary"] == fields["summary"] for row in double.issues.values())
            assert count <= 1, double.faults.struck[-3:]
            assert count == 1 or ended != 201
        await client.aclose()
    await asyncio.sleep(0)


def fault_options(fault):
    return {name: value for name, value in fault.as_dict().items() if name != "fault"}
