"""Tasks with a real Celery worker, in a process of its own: how they run, ask, end and are stopped."""

import os

import pytest
from django.conf import settings

from audit.events import UNKNOWN
from audit.models import AuditEvent
from connectors import services as connectors
from connectors.models import Connection
from mcp_endpoint.models import Task
from tenants import services as tenants
from tests.factories import SYSTEM, make_connection
from tests.live import Live, eventually
from tests.mcp_endpoint.jobs import ENTRY, QUEUE, Worker
from tests.mcp_endpoint.speak import make_place
from tests.mcp_endpoint.tasking import (
    CAPABILITIES,
    EXTENSION,
    about,
    audited,
    call,
    jobs_place,
    row_of,
    send,
    stand,
    start,
    text_of,
    until,
)

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture(scope="module")
def worker(database, tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp("worker"))
    yield worker
    worker.stop()


def test_a_task_is_worked_off_and_its_result_is_what_the_call_would_have_answered(worker):
    place = jobs_place()
    inline = send(call(place, "job_echo", meta={}, word="ü", times=2**60)).result
    task_id = start(place, "job_echo", word="ü", times=2**60)["taskId"]
    found = until(place, task_id)
    assert found["status"] == "completed" and found["resultType"] == "complete"
    assert found["result"] == inline
    assert found["lastUpdatedAt"] >= found["createdAt"]
    row = row_of(place, task_id)
    assert bytes(row.payload) == b"" and "ü".encode() not in bytes(row.outcome)
    event = AuditEvent.objects.for_calls(place.tenant, [task_id]).get()
    assert (event.outcome, event.via, event.key_id) == ("ok", "task", place.access_key.id)
    assert event.request_id == row.request_id != ""


def test_a_writing_task_has_its_attempt_and_its_end_under_one_name_and_no_secret_anywhere(worker):
    place = jobs_place()
    task_id = start(place, "job_secret", word="sesame-open-9173")["taskId"]
    assert text_of(until(place, task_id)) == "16 characters"
    assert audited(place, task_id) == [("attempt", "started"), ("done", "ok")]
    arguments = AuditEvent.objects.for_calls(place.tenant, [task_id]).values_list("arguments", flat=True)
    assert not any("sesame" in text for text in arguments)
    assert "sesame" not in worker.text()


def test_a_tools_own_failure_is_a_completed_task_and_a_requests_failure_a_failed_one(worker):
    place = jobs_place()
    failed = until(place, start(place, "job_must")["taskId"])
    assert failed["status"] == "completed"
    assert failed["result"]["isError"] is True and "Never mind." in text_of(failed)
    broken = until(place, start(place, "job_folders")["taskId"])
    assert broken["status"] == "failed" and "result" not in broken
    assert broken["error"]["code"] == -32021
    assert broken["error"]["data"] == {"requiredCapabilities": {"roots": {}}}
    assert broken["statusMessage"]


def test_progress_becomes_the_tasks_message(worker, tmp_path):
    place = jobs_place()
    task_id = start(place, "job_read", folder=str(tmp_path))["taskId"]
    eventually(lambda: "of 2000: waiting for the word" in stand(place, task_id).get("statusMessage", ""))
    (tmp_path / "go").touch()
    assert text_of(until(place, task_id)) == "went"


def test_a_running_write_is_cancelled_in_its_worker_and_may_have_taken_effect(worker, tmp_path):
    place = jobs_place()
    task_id = start(place, "job_write", folder=str(tmp_path))["taskId"]
    eventually((tmp_path / "runs").exists)
    assert send(about(place, "cancel", task_id)).result["resultType"] == "complete"
    found = until(place, task_id, seconds=5)
    assert found["status"] == "cancelled"
    assert "may have taken effect" in found["statusMessage"]
    assert (tmp_path / "ended").read_text() == "cancelled"
    eventually(lambda: audited(place, task_id) == [("attempt", "started"), ("done", UNKNOWN)])
    assert send(about(place, "cancel", task_id)).result["resultType"] == "complete", "it is over"


def test_a_cancellation_reaches_the_worker_through_the_row_as_well(worker, tmp_path):
    place = jobs_place()
    task_id = start(place, "job_read", folder=str(tmp_path))["taskId"]
    eventually((tmp_path / "runs").exists)
    Task.objects.for_tenant(place.tenant).filter(pk=task_id).update(cancelling=True)  # no message on the bus
    assert until(place, task_id)["status"] == "cancelled"


def test_a_task_asks_waits_without_a_worker_and_goes_on_with_the_answers(worker):
    place = jobs_place()
    task_id = start(place, "job_delete", name="a.txt")["taskId"]
    asking = until(place, task_id, "input_required")
    (first,) = asking["inputRequests"]
    assert asking["inputRequests"][first]["method"] == "elicitation/create"
    assert asking["inputRequests"][first]["params"]["message"] == "Delete a.txt?"
    assert row_of(place, task_id).run is None, "it holds no worker"

    ack = send(about(place, "update", task_id, inputResponses={"made-up": {"action": "accept"}})).result
    assert ack["resultType"] == "complete" and "status" not in ack
    assert stand(place, task_id)["inputRequests"] == asking["inputRequests"]

    yes = {"action": "accept", "content": {"sure": True}}
    send(about(place, "update", task_id, inputResponses={first: yes}))
    eventually(lambda: first not in stand(place, task_id).get("inputRequests", {first: 1}))
    again = until(place, task_id, "input_required")
    (second,) = again["inputRequests"]
    assert second != first and again["inputRequests"][second]["params"]["message"] == "Who are you?"
    me = {"action": "accept", "content": {"name": "Ada"}}
    send(about(place, "update", task_id, inputResponses={first: {"action": "cancel"}, second: me}))
    assert text_of(until(place, task_id)) == "deleted a.txt for Ada"
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call")
    assert {row.call_id for row in rows} == {task_id}


def test_an_answer_that_does_not_fit_is_asked_for_again_under_a_new_name(worker):
    place = jobs_place()
    task_id = start(place, "job_delete", name="a.txt")["taskId"]
    (first,) = until(place, task_id, "input_required")["inputRequests"]
    send(
        about(place, "update", task_id, inputResponses={first: {"action": "accept", "content": {"sure": 7}}})
    )
    eventually(lambda: first not in stand(place, task_id).get("inputRequests", {first: 1}))
    (second,) = until(place, task_id, "input_required")["inputRequests"]
    send(about(place, "update", task_id, inputResponses={second: {"action": "decline"}}))
    assert text_of(until(place, task_id)) == "kept a.txt"


def test_a_waiting_question_can_be_cancelled(worker):
    place = jobs_place()
    task_id = start(place, "job_delete", name="a.txt")["taskId"]
    until(place, task_id, "input_required")
    send(about(place, "cancel", task_id))
    assert stand(place, task_id)["status"] == "cancelled"


def test_only_what_the_client_declared_is_asked(worker):
    place = jobs_place()
    silent = {CAPABILITIES: {"extensions": {EXTENSION: {}}}}
    task_id = send(call(place, "job_delete", meta=silent, name="a.txt")).result["taskId"]
    found = until(place, task_id)
    assert found["error"]["data"] == {"requiredCapabilities": {"elicitation": {}}}


def test_a_tool_that_asks_first_becomes_a_task_once_it_has_its_answers(worker):
    place = jobs_place()
    asked = send(call(place, "job_ask_first")).result
    assert asked["resultType"] == "input_required" and "taskId" not in asked
    (key,) = asked["inputRequests"]
    answers = {"inputResponses": {key: {"action": "accept", "content": {"name": "Ada"}}}}
    made = send(call(place, "job_ask_first", more={**answers, "requestState": asked["requestState"]})).result
    assert made["resultType"] == "task" and not {"requestState", "inputRequests"} & set(made)
    assert text_of(until(place, made["taskId"])) == "hello Ada"
    forged = send(call(place, "job_ask_first", more={**answers, "requestState": "x" + asked["requestState"]}))
    assert forged.error["code"] == -32602


@pytest.mark.parametrize("taken", ["key", "principal's role", "tool", "tenant"])
def test_what_was_taken_away_meanwhile_counts_when_the_worker_starts(worker, tmp_path, taken, monkeypatch):
    queued = []
    monkeypatch.setattr("mcp_endpoint.long_tasks.services.enqueue", queued.append)
    place = jobs_place()
    task_id = start(place, "job_write", folder=str(tmp_path))["taskId"]
    monkeypatch.undo()
    if taken == "key":
        tenants.access_key_revoke(key=place.access_key, actor=SYSTEM)
    elif taken == "tool":
        connection = Connection.objects.for_tenant(place.tenant).get(slug="jobs")
        connectors.switch_set(connection, tool="job_write", enabled=False, actor=SYSTEM)
    elif taken == "tenant":
        tenants.tenant_suspend(tenant=place.tenant, actor=SYSTEM)
    else:
        tenants.service_account_update(account=place.access_key.principal, role="viewer", actor=SYSTEM)
    from mcp_endpoint.long_tasks.services import enqueue

    enqueue(queued[0])
    row = eventually(lambda: (row := row_of(place, task_id)).ended and row)
    assert row.status == "failed"
    assert not (tmp_path / "runs").exists()
    assert AuditEvent.objects.for_tenant(place.tenant).filter(kind="denial", name="job_write").count() == 1


def test_a_second_message_for_a_running_task_does_not_run_it_twice(worker, tmp_path):
    from mcp_endpoint.long_tasks.services import enqueue

    place = jobs_place()
    task_id = start(place, "job_write", folder=str(tmp_path))["taskId"]
    eventually((tmp_path / "runs").exists)
    enqueue(row_of(place, task_id))
    marker = start(place, "job_echo", word="after")["taskId"]  # the second message was taken before this one
    until(place, marker)
    (tmp_path / "go").touch()
    assert text_of(until(place, task_id)) == "went"
    assert len((tmp_path / "runs").read_text().splitlines()) == 1


def test_a_task_made_at_one_web_worker_is_read_and_cancelled_at_another(worker, tmp_path):
    named = f"{os.environ['PORTICO_CONNECTORS']},{ENTRY}"
    live = Live(tmp_path, PORTICO_CONNECTORS=named, CELERY_BROKER_URL=QUEUE)
    try:
        place = jobs_place()
        with live.lines() as (one, two):
            made = one.send(call(place, "job_echo", word="across"))
            task_id = made.result["taskId"]
            found = eventually(
                lambda: (
                    (got := two.send(about(place, "get", task_id)).result)["status"] == "completed" and got
                )
            )
            assert found["result"]["structuredContent"]["word"] == "across"
            folder = tmp_path / "job"
            folder.mkdir()
            task_id = two.send(call(place, "job_read", folder=str(folder))).result["taskId"]
            eventually((folder / "runs").exists)
            one.send(about(place, "cancel", task_id))
            eventually(lambda: two.send(about(place, "get", task_id)).result["status"] == "cancelled")
    finally:
        live.stop()


def test_the_restaurants_report_is_a_task(worker):
    place = make_place(connectors=())
    make_connection(place.tenant, "restaurant")
    arguments = {
        "report_type": "sales",
        "start_date": "2026-01-01",
        "end_date": "2026-03-31",
        "format": "json",
    }
    task_id = start(place, "generate_report", **arguments)["taskId"]
    found = until(place, task_id)
    assert found["result"]["isError"] is False
    assert found["result"]["structuredContent"]["download_url"].startswith("http")


def test_a_key_that_is_limited_to_an_address_works_in_the_worker_too(worker):
    place = jobs_place(networks=["127.0.0.0/8"])
    assert until(place, start(place, "job_echo", word="home")["taskId"])["status"] == "completed"


def test_a_task_keeps_the_part_of_the_tools_that_its_call_asked_for(worker):
    place = jobs_place()
    post = call(place, "job_echo", word="part")
    post.headers.append(("x-mcp-toolsets", "jobs"))
    task_id = send(post).result["taskId"]
    assert until(place, task_id)["status"] == "completed", "whoever asks need not narrow"
