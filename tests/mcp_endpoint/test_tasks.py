"""The tasks extension without a worker: when a call becomes a task, and who may ask for it."""

import uuid

import pytest
from django.conf import settings

from audit.models import AuditEvent
from connectors import services as connectors
from mcp_endpoint.long_tasks import services as tasks
from mcp_endpoint.models import Task
from tenants import services as tenants
from tests.factories import SYSTEM, make_connection, make_key
from tests.mcp_endpoint.jobs import ENTRY
from tests.mcp_endpoint.speak import Place, initialize, legacy, modern
from tests.mcp_endpoint.tasking import (
    CAPABILITIES,
    DECLARED,
    EXTENSION,
    about,
    call,
    jobs_place,
    queued_here,
    row_of,
    send,
    stand,
    start,
)

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture(autouse=True)
def queue(monkeypatch):
    return queued_here(monkeypatch)


def test_discovery_advertises_the_extension_to_the_modern_era_alone(place):
    found = send(modern(place, "server/discover")).result["capabilities"]
    assert found["extensions"] == {EXTENSION: {}}
    assert "tasks" not in found
    old = send(initialize(place)).result["capabilities"]
    assert "tasks" not in old and "extensions" not in old


def test_a_long_running_call_is_a_committed_queued_task_before_it_is_answered(queue):
    place = jobs_place()
    answer = send(call(place, "job_echo", word="hush"))
    result = answer.result
    assert answer.status == 200
    assert result["resultType"] == "task"
    assert result["status"] == "working"
    assert result["statusMessage"] == "Waits for a worker."
    assert result["createdAt"].endswith("Z") and result["lastUpdatedAt"] == result["createdAt"]
    assert result["ttlMs"] > 3_600_000 and result["pollIntervalMs"] == 250
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "portico"
    assert not {"result", "error", "inputRequests", "requestState", "task", "ttl"} & set(result)
    assert queue == [result["taskId"]]
    row = row_of(place, result["taskId"])
    assert row.principal_id == place.access_key.principal_id
    assert b"hush" not in bytes(row.payload)
    assert (stand(place, result["taskId"]))["resultType"] == "complete"


def test_who_does_not_declare_tasks_is_answered_in_line(queue):
    place = jobs_place()
    plain = send(call(place, "job_echo", meta={}, word="a")).result
    assert plain["structuredContent"] == {"word": "a", "times": 1}
    assert plain["resultType"] == "complete"
    old = (send(legacy(place, "tools/call", {"name": "job_echo", "arguments": {"word": "b"}}))).result
    assert old["structuredContent"]["word"] == "b"
    assert queue == []


@pytest.mark.parametrize("capabilities", [{}, {"extensions": None}, {"extensions": {"x/y": {}}}])
def test_a_tool_that_must_be_a_task_refuses_everybody_else(capabilities):
    place = jobs_place()
    answer = send(call(place, "job_must", meta={CAPABILITIES: capabilities}))
    if answer.error["code"] == -32602:  # null extensions are no capabilities at all
        assert capabilities == {"extensions": None}
        return
    assert answer.status == 400
    assert answer.error["code"] == -32021
    assert answer.error["data"] == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    old = send(legacy(place, "tools/call", {"name": "job_must", "arguments": {}}))
    assert "error" in old.json


def test_a_quick_tool_stays_quick_and_an_old_task_hint_changes_nothing(queue):
    place = jobs_place()
    hinted = send(call(place, "job_quick", more={"task": {"ttl": 60000}}))
    assert hinted.result["content"][0]["text"] == "x"
    assert queue == []


def test_wrong_arguments_and_unknown_tools_are_answered_at_once(queue):
    place = jobs_place()
    wrong = send(call(place, "job_echo", times="many")).result
    assert wrong["isError"] and wrong["resultType"] == "complete"
    assert send(call(place, "job_nothing")).error["code"] == -32602
    assert queue == []


def test_only_one_who_declares_the_extension_may_use_its_methods(place):
    for method in ("get", "update", "cancel"):
        answer = send(about(place, method, "gate-test", meta={}, inputResponses={}))
        assert answer.status == 400
        assert answer.error["code"] == -32021
        assert EXTENSION in answer.error["data"]["requiredCapabilities"]["extensions"]


def test_the_methods_of_older_drafts_and_of_the_older_era_do_not_exist(place):
    for method in ("tasks/result", "tasks/list"):
        gone = send(modern(place, method, {"taskId": "x"}, meta=DECLARED))
        assert (gone.status, gone.error["code"]) == (404, -32601)
    assert send(legacy(place, "tasks/get", {"taskId": "x"})).error["code"] == -32601


def test_the_name_header_must_be_the_tasks_id():
    place = jobs_place()
    task_id = (start(place, "job_echo", word="a"))["taskId"]
    for name in ("another", None):
        post = modern(place, "tasks/get", {"taskId": task_id}, meta=DECLARED, mcp_name=name)
        answer = send(post)
        assert (answer.status, answer.error["code"]) == (400, -32020)


@pytest.mark.parametrize(
    "wanted", ["nope", "93d3ee46-164c-4f19-9b43-ec099bd254d9", "", 7, None, ["x"], {"a": 1}]
)
def test_an_id_that_nobody_got_is_unknown(place, wanted):
    for method, params in (("get", {}), ("update", {"inputResponses": {}}), ("cancel", {})):
        post = modern(
            place, f"tasks/{method}", {"taskId": wanted, **params}, meta=DECLARED, mcp_name=str(wanted)
        )
        answer = send(post)
        assert answer.status == 400
        assert answer.error["code"] == (-32602 if wanted is None or isinstance(wanted, str) else -32020)


def test_anothers_task_is_unknown_whether_of_the_tenant_or_of_another():
    owner = jobs_place()
    task_id = (start(owner, "job_echo", word="mine"))["taskId"]
    colleague = Place(owner.tenant, make_key(owner.tenant)[1], None)
    stranger = jobs_place()
    unknown = (send(about(owner, "get", "93d3ee46-164c-4f19-9b43-ec099bd254d9"))).error
    for other in (colleague, stranger):
        for method, params in (("get", {}), ("update", {"inputResponses": {}}), ("cancel", {})):
            answer = send(about(other, method, task_id, **params))
            assert answer.error == unknown
    assert (stand(owner, task_id))["status"] == "working"


def test_another_key_of_the_same_principal_may_ask_unless_it_may_not_use_the_tool():
    owner = jobs_place()
    task_id = (start(owner, "job_echo", word="mine"))["taskId"]
    principal = owner.access_key.principal
    second = Place(owner.tenant, make_key(owner.tenant, principal=principal)[1], None)
    assert (stand(second, task_id))["status"] == "working"
    narrow = Place(owner.tenant, make_key(owner.tenant, principal=principal, deny=["jobs:job_echo"])[1], None)
    assert send(about(narrow, "get", task_id)).error["code"] == -32602
    assert send(about(narrow, "cancel", task_id)).result["resultType"] == "complete"
    assert (stand(second, task_id))["status"] == "cancelled"


def test_a_revoked_key_asks_no_more():
    place = jobs_place()
    task_id = (start(place, "job_echo", word="a"))["taskId"]
    tenants.access_key_revoke(key=place.access_key, actor=SYSTEM)
    assert send(about(place, "get", task_id)).status == 401


def test_a_tool_that_was_switched_off_hides_its_tasks():
    place = jobs_place()
    task_id = (start(place, "job_echo", word="a"))["taskId"]
    connection = connectors_of(place)
    connectors.switch_set(connection, tool="job_echo", enabled=False, actor=SYSTEM)
    assert send(about(place, "get", task_id)).error["code"] == -32602


def connectors_of(place):
    from connectors.models import Connection

    return Connection.objects.for_tenant(place.tenant).get(slug="jobs")


def test_a_second_connections_task_is_found_by_its_own_name():
    place = jobs_place()
    make_connection(place.tenant, "jobs", "jobstwo")
    made = start(place, "jobstwo__job_echo", word="a")
    assert (stand(place, made["taskId"]))["status"] == "working"
    assert row_of(place, made["taskId"]).connection == "jobstwo"


def test_a_waiting_task_is_cancelled_at_once_and_once_recorded():
    place = jobs_place()
    task_id = (start(place, "job_secret", word="hush"))["taskId"]
    for _ in range(2):
        ack = send(about(place, "cancel", task_id)).result
        assert set(ack) == {"resultType", "_meta"} and ack["resultType"] == "complete"
    found = stand(place, task_id)
    assert found["status"] == "cancelled"
    assert not {"result", "error"} & set(found)
    rows = AuditEvent.objects.for_calls(place.tenant, [task_id])
    assert [(row.phase, row.outcome, row.name) for row in rows] == [("done", "cancelled", "job_secret")]
    assert tasks.task_claim(place.tenant.pk, uuid.UUID(task_id), uuid.uuid4()) is None, "no worker takes it"
    assert bytes(row_of(place, task_id).payload) == b""


def test_a_call_with_the_callers_own_token_never_waits_in_a_queue(queue):
    place = jobs_place()
    connectors.connection_update(connectors_of(place), caller_token=True, actor=SYSTEM)
    post = call(place, "job_echo", word="a")
    post.headers.append(("x-jobs-token", "brought-by-the-caller"))
    assert send(post).result["structuredContent"]["word"] == "a"
    post = call(place, "job_echo", word="a")
    post.headers.append(("x-other-token", "of-another-system"))
    assert send(post).result["resultType"] == "task"
    assert len(queue) == 1


def test_a_tool_that_is_called_through_the_deferred_mode_becomes_a_task_as_well():
    place = jobs_place()
    tenants.tenant_update(tenant=place.tenant, deferred_tools=True, actor=SYSTEM)
    arguments = {"name": "job_echo", "arguments": {"word": "inside"}}
    made = send(call(place, "platform_call_tool", **arguments)).result
    assert made["resultType"] == "task"
    assert row_of(place, made["taskId"]).tool == "job_echo"


def test_a_tenant_may_have_so_many_open_tasks_and_no_more(monkeypatch):
    monkeypatch.setattr(tasks, "MAX_OPEN", 2)
    place, other = jobs_place(), jobs_place()
    first = start(place, "job_echo", word="a")
    start(place, "job_echo", word="b")
    refused = send(call(place, "job_echo", word="c")).result
    assert refused["isError"] and "too_many_tasks" in refused["content"][0]["text"]
    assert AuditEvent.objects.for_tenant(place.tenant).filter(outcome="denied", name="job_echo").count() == 1
    start(other, "job_echo", word="a")
    send(about(place, "cancel", first["taskId"]))
    start(place, "job_echo", word="c")


def test_without_a_queue_the_call_is_answered_in_line_and_no_task_remains(monkeypatch):
    def away(row):
        raise tasks.QueueAway

    monkeypatch.setattr(tasks, "enqueue", away)
    place = jobs_place()
    answer = send(call(place, "job_echo", word="a"))
    assert answer.result["structuredContent"]["word"] == "a"
    assert not Task.objects.for_tenant(place.tenant).exists()


def test_removing_the_principal_removes_its_tasks():
    place = jobs_place()
    start(place, "job_echo", word="a")
    tenants.service_account_remove(account=place.access_key.principal, actor=SYSTEM)
    assert not Task.objects.for_tenant(place.tenant).exists()
