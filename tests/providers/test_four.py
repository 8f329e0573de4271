"""What holds for every tool of Jira, Confluence, GitHub and Salesforce alike."""

import logging
import traceback
from urllib.parse import unquote

import jsonschema_rs
import pytest

from audit.models import AuditEvent
from common.db import in_db
from common.redis import sync_client
from connectors import pipeline
from connectors.models import HealthCheck
from connectors.providers.github import pacing
from connectors.registry import connector_class
from connectors.services import connection_check, connection_update
from connectors.snapshot import snapshot_of
from connectors.upstream import retry
from tests.admin.conftest import sign_in, url
from tests.api.test_api import client
from tests.doubles.faults import InvalidJson, Reset
from tests.factories import SYSTEM, make_key, make_member
from tests.providers.four import MARKER, SYSTEMS, Echo, fenced, four, only, planted, texts_of

LONGEST = 200  # characters of a description: it is read with every list
# Destructive, and yet what people connect Jira for: a change of state that a workflow may forbid to take back.
DESTRUCTIVE_BY_DEFAULT = {"jira_transition_issue"}
TOOLS = [(system, spec) for system in SYSTEMS for spec in connector_class(system).tools.values()]
DEFAULT = {system: [spec for name, spec in TOOLS if name == system and spec.default_on] for system in SYSTEMS}
READING = {system: [spec for name, spec in TOOLS if name == system and not spec.writes] for system in SYSTEMS}


@pytest.fixture(scope="module")
def doubles(database):
    with four() as running:
        yield running


@pytest.fixture(scope="module")
def whole(doubles):
    return planted(doubles)


@pytest.fixture(scope="module")
def narrow(doubles, whole):
    return fenced(doubles)


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch):
    settings.PORTICO_SANDBOX = True
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(pacing, "APART_S", 0.0)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_tool_says_what_it_is(system):
    for spec in [spec for name, spec in TOOLS if name == system]:
        hints = spec.hints
        assert spec.name.startswith(f"{system}_")
        assert 3 <= len(spec.title) <= 60, spec.name
        assert 10 <= len(spec.description) <= LONGEST, spec.name
        assert {type(getattr(hints, name)) for name in hints.__slots__} == {bool}, spec.name
        assert hints.open_world, spec.name
        if spec.output_schema is not None:
            jsonschema_rs.Draft202012Validator(spec.output_schema)
            assert spec.output_schema["type"] == "object", spec.name
        if spec.default_on:
            assert spec.toolset not in ("delete", "admin", "bulk", "raw"), spec.name
            assert not hints.destructive or spec.name in DESTRUCTIVE_BY_DEFAULT, spec.name


@pytest.mark.parametrize("system", SYSTEMS)
async def test_every_default_tool_works_and_null_is_as_absent(whole, system):
    for spec in DEFAULT[system]:
        given = whole.arguments(system, spec)
        nulls = {name: None for name in spec.input_schema["properties"] if name not in given}
        answers = [await whole.call(spec.name, given)]
        if not spec.writes:
            answers.append(await whole.call(spec.name, {**nulls, **given}))
        for answer in answers:
            assert not answer.is_error, (spec.name, answer.content)
            if spec.output_schema is not None:
                jsonschema_rs.validate(spec.output_schema, answer.structured)


# -- secrets -----------------------------------------------------------------------------------


@pytest.fixture
def errors(monkeypatch):
    """Every error that a call ended with, as whoever prints it sees it."""
    seen, original = [], pipeline.error_result

    def told(error, request_id=""):
        seen.extend([repr(error), *traceback.format_exception(error), repr(error.details), error.hint])
        return original(error, request_id)

    monkeypatch.setattr(pipeline, "error_result", told)
    return seen


@pytest.mark.parametrize("system", SYSTEMS)
async def test_no_secret_is_in_any_answer_log_error_row_key_or_page(
    whole, system, errors, caplog, monkeypatch
):
    caplog.set_level(logging.DEBUG)
    double, connection, seen = whole.doubles[system], whole.connections[system], []
    monkeypatch.setattr(double, "check", False)  # other tests hold these requests against the documents
    faults = [None, *map(Echo, (400, 401, 500))]
    rare = [*map(Echo, (401, 401, 302, 403, 404, 409, 422)), InvalidJson(), Reset()]
    by_kind = {spec.writes: spec for spec in DEFAULT[system] if spec.input_schema.get("required")}
    turns = [(spec, fault) for spec in DEFAULT[system] for fault in faults]
    turns += [(spec, fault) for spec in by_kind.values() for fault in rare]
    for spec, fault in turns:
        if fault is not None:
            lasts = getattr(fault, "status", 500) < 500
            double.faults.add(fault, times=None if lasts else 1)
        seen.append(texts_of(await whole.call(spec.name, whole.arguments(system, spec))))
        double.faults.clear()
    for fault in (None, *map(Echo, (401, 500))):
        if fault is not None:
            double.faults.add(fault, times=None)
        seen.append(repr(await connection_check(connection)))
        double.faults.clear()
    view = (await snapshot_of(whole.tenant.pk)).connection(system)
    seen += [repr(view), repr(view.connector), repr(view.connector.settings), caplog.text, *errors]
    seen += await in_db(_stored, whole)
    seen += await in_db(_pages, whole, connection)
    assert len(seen) > len(turns) + 20
    secrets, everything = whole.secrets(), "\n".join(seen)
    assert len(secrets) >= 4
    assert [secret[:12] for secret in secrets if secret in everything] == []


@pytest.mark.parametrize(
    ("system", "who", "tool"),
    [
        ("jira", "/rest/api/3/myself", "jira_get_projects"),
        ("confluence", "/wiki/rest/api/user/current", "confluence_list_spaces"),
    ],
)
async def test_a_refusal_on_the_way_to_a_place_that_takes_the_credential_tells_nothing(
    whole, system, who, tool
):
    double = whole.doubles[system]
    assert not (await whole.call(tool, {})).is_error
    double.faults.add(Echo(401), times=1)
    assert (await whole.call(tool, {})).error_type == "authentication"
    double.faults.add(Echo(401), times=None, path=who)
    answer = await whole.call(tool, {})
    double.faults.clear()
    assert answer.error_type == "authentication"
    assert [secret[:12] for secret in whole.secrets() if secret in texts_of(answer)] == []


def _stored(place):
    """The audit, what tests found, and all of Redis, as text."""
    rows = [repr(row) for row in AuditEvent.objects.for_tenant(place.tenant).values()]
    rows += [repr(row) for row in HealthCheck.objects.for_tenant(place.tenant).values()]
    assert len(rows) > 20
    redis, kinds = sync_client(), {
        b"string": "get", b"hash": "hgetall", b"set": "smembers", b"list": "lrange", b"zset": "zrange",
    }  # fmt: skip
    for key in redis.scan_iter("*", count=1000):
        rows.append(key.decode("latin-1"))
        kind = redis.type(key)
        more = (0, -1) if kind in (b"list", b"zset") else ()
        if kind in kinds:
            found = getattr(redis, kinds[kind])(key, *more)
            rows.append(found.decode("latin-1") if isinstance(found, bytes) else repr(found))
    return rows


def _pages(place, connection):
    """What an admin sees of a connection and of the audit."""
    admin = sign_in(make_member(place.tenant, "admin").user)
    api = client(make_key(place.tenant, "admin")[1])
    pages = [url(f"connectors_connection_{page}", connection.pk) for page in ("change", "tools")]
    pages += [url("connectors_connection_changelist"), url("audit_auditevent_changelist")]
    events = AuditEvent.objects.for_tenant(place.tenant).filter(outcome="error", connection=connection.slug)
    pages += [
        url("audit_auditevent_change", pk) for pk in events.order_by("-seq").values_list("pk", flat=True)[:5]
    ]
    found = [admin.get(page) for page in pages]
    tenant = f"/api/v1/tenants/{place.tenant.slug}"
    found += [api.get(f"{tenant}/{path}") for path in ("connections", f"connections/{connection.slug}")]
    assert {answer.status_code for answer in found} == {200}
    return [answer.content.decode() for answer in found]


# -- ways out ----------------------------------------------------------------------------------

COMMON = (
    "..", ".",
    "..%2f..%2fx/../../x?y=1#z", "a\r\nX-Evil: 1\r\n\r\n\x00%00", "'\"`\\;-- /* */ # ) OR (", "\u202e＂＇／．．\u2028\ufeffｏｒ",
)  # fmt: skip
ATTACKS = {
    "jira": ("OPS", "OPS-1", 'x" OR project = OPS OR text ~ "x', "x) OR (project = OPS", "project = OPS ORDER BY key"),
    "confluence": ("TEAM", "<out>", 'x" OR space = TEAM OR text ~ "x', "x) OR (space = TEAM", "<in>/../<out>"),
    "github": ("octo/secrets.io", "x repo:octo/secrets.io", "../secrets.io", "x OR user:octo", "octo/hello-world/../secrets.io"),
    "salesforce": ("Opportunity", "<out>", "x' OR Name != '", "Id IN (SELECT AccountId FROM Opportunity)",
                   "SELECT Id, Name FROM Opportunity", "x} RETURNING Opportunity(Id, Name)"),
}  # fmt: skip


def _attacked(schema, text):
    """The values by which a text reaches an argument of this schema; none where only numbers or fixed words do."""
    for one in schema.get("anyOf", [schema]):
        if "enum" in one or "const" in one:
            continue
        if one.get("type") == "string":
            yield text
        elif one.get("type") == "array":
            for value in _attacked(one.get("items", {}), text):
                yield [value]
        elif one.get("type") == "object" or "$ref" in one:
            yield {"name": text, "field": text, "where": text}


@pytest.mark.parametrize("system", SYSTEMS)
async def test_no_argument_of_a_reading_tool_leads_out(narrow, system):
    double = narrow.doubles[system]
    double.requests.clear()
    double.violations.clear()
    known, leaks, tried = narrow.known[system], [], 0
    own = [
        text.replace("<in>", known.get("page_id", "")).replace("<out>", known.get("outside", ""))
        for text in ATTACKS[system]
    ]
    for spec in READING[system]:
        given = narrow.arguments(system, spec)
        for name, schema in spec.input_schema["properties"].items():
            for text in own[:1] if name == "cursor" else (*COMMON, *own):  # cursors are signed, for all alike
                for value in _attacked(schema, text):
                    tried += 1
                    answer = await narrow.call(spec.name, {**given, name: value})
                    if MARKER in texts_of(answer):
                        leaks.append((spec.name, name, text))
    assert leaks == []
    assert tried > 100
    assert [str(one) for one in double.violations] == []
    for request in double.requests:
        path = unquote(request.path)
        assert ".." not in path.split("/") and "x-evil" not in request.headers, request
        assert system != "github" or path.lower().split("/")[2:4] != ["octo", "secrets.io"], request
        assert request.method in ("GET", "POST"), request


async def test_without_the_fences_the_same_tools_show_what_lies_outside(narrow, whole):
    asked = {
        "jira_search_issues": {"jql": "project = OPS"},
        "confluence_get_page": {"page_id": narrow.known["confluence"]["outside"]},
        "github_list_issues": {"repo": "octo/secrets.io"},
        "salesforce_query": {"query": "SELECT Name FROM Opportunity"},
    }
    for tool, arguments in asked.items():
        assert MARKER in texts_of(await whole.call(tool, arguments)), tool
        assert MARKER not in texts_of(await narrow.call(tool, arguments)), tool


# -- rights that a credential lacks ------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "credential", "limited", "tool", "right"),
    [
        ("jira", {"email": "bo@example.com", "token": "sandbox-jira-reader"}, {"projects": ["PROJ"]},
         "jira_create_issue", "CREATE_ISSUES"),
        ("confluence", {"method": "bearer", "token": "sandbox-confluence-reader"}, {},
         "confluence_update_page", "write:page:confluence"),
        ("github", {"method": "classic", "token": "sandbox-github-reader"}, {}, "github_create_issue", "issues:write"),
        ("salesforce", {"method": "access_token", "access_token": "sandbox-salesforce-session"}, {"objects": ["Account"]},
         "salesforce_query_leads", "Lead: queryable"),
    ],
    ids=SYSTEMS,
)  # fmt: skip
async def test_what_a_credential_may_not_do_is_not_listed_after_a_test(
    doubles, system, credential, limited, tool, right
):
    place = await in_db(only, doubles, system, credential, limited)
    assert tool in {entry.name for entry in (await pipeline.catalogue(place.caller)).listed}
    assert (await connection_check(place.connections[system])).ok
    listed = {entry.name for entry in (await pipeline.catalogue(place.caller)).listed}
    assert tool not in listed and f"{system}_connection_info" in listed
    doubles[system].requests.clear()
    answer = await place.call(tool, {})
    assert answer.error_type == "permission" and right in texts_of(answer)
    assert not doubles[system].requests
    await in_db(lambda: connection_update(place.connections[system], actor=SYSTEM, network={"retries": 0}))
    assert tool in {entry.name for entry in (await pipeline.catalogue(place.caller)).listed}
