"""Files at issues: put there once, listed, handed out from another host, deleted."""

import base64

import pytest

from common.db import in_db
from connectors.artifacts import artifact_save
from tests.doubles.faults import HugeBody, Redirect, Reset, Status, TooMany
from tests.factories import make_tenant
from tests.mcp_endpoint.speak import by_door, modern

DATA = bytes(range(256)) * 8
PLAIN = base64.b64encode(DATA).decode()


def names(jira, key="PROJ-1"):
    return [row["name"] for row in jira.files.values() if row["issue"] == jira.issue_by(key)["id"]]


def first(jira):
    return next(iter(jira.files))


async def test_a_file_is_put_at_an_issue_as_text_in_base64_or_by_the_uri_of_another(call, jira):
    await call("jira_list_attachments", issue_key="PROJ-2")
    told = await call("jira_add_attachment", issue_key="PROJ-2", filename="../a b.bin", content_base64=PLAIN)
    row = jira.files[told["id"]]
    assert (row["name"], row["data"], row["type"]) == ("a b.bin", DATA, "application/octet-stream")
    assert (told["key"], told["size"]) == ("PROJ-2", len(DATA))
    assert told["url"] == f"{jira.url}/secure/attachment/{told['id']}/a%20b.bin"
    await call("jira_add_attachment", issue_key="PROJ-2", filename="grün.md", text="# Grün\r\n--x")
    got = await call("jira_get_attachment", attachment_id=told["id"])
    await call("jira_add_attachment", issue_key="PROJ-2", filename="copy.bin", file_uri=got["uri"])
    assert [row["data"] for row in list(jira.files.values())[-2:]] == ["# Grün\r\n--x".encode(), DATA]
    listed = await call("jira_list_attachments", issue_key="PROJ-2")  # not what was kept before
    assert sorted(row["name"] for row in listed["items"]) == ["a b.bin", "copy.bin", "grün.md"]
    assert listed["items"][0] | {"id": "", "url": "", "created": ""} == listed["items"][0] | {
        "id": "", "url": "", "created": "", "author": {"id": jira.people[row["author"]].id, "name": "Ada Lovelace"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({}, "one_content"),
        ({"text": "x", "content_base64": PLAIN}, "one_content"),
        ({"content_base64": "/etc/passwd!"}, "bad_base64"),
        ({"file_uri": "portico://files/00000000-0000-4000-8000-000000000000"}, "not_found"),
        ({"file_uri": "file:///etc/passwd"}, "invalid_arguments"),
        ({"file_uri": "https://example.com/a.txt"}, "invalid_arguments"),
        ({"path": "/etc/passwd"}, "invalid_arguments"),
    ],
    ids=["none", "two", "base64", "gone", "path", "address", "argument"],
)
async def test_what_is_no_content_is_refused_before_anything_is_sent(call, jira, content, code):
    told = await call("jira_add_attachment", issue_key="PROJ-1", filename="a.txt", **content)
    assert told["code"] == code
    assert not jira.requests


async def test_a_file_of_another_tenant_is_not_given_away(call, jira):
    tenant = await in_db(make_tenant)
    row = await in_db(
        artifact_save, tenant_id=tenant.pk, connection_id=call.connection.pk, principal_id=None, name="a",
        mime_type="text/plain", data=b"theirs",
    )  # fmt: skip
    told = await call(
        "jira_add_attachment", issue_key="PROJ-1", filename="a.txt", file_uri=f"portico://files/{row.pk}"
    )
    assert told["type"] == "not_found"
    assert names(jira) == ["steps.txt"]


async def test_a_lost_answer_of_an_upload_makes_no_second_file(call, jira):
    for number, fault in enumerate((Reset(after=True), Status(502))):
        jira.faults.add(fault, path="addAttachment")
        error = await call("jira_add_attachment", issue_key="PROJ-1", filename=f"{number}.txt", text="once")
        assert error["retryable"] is False
        assert "jira_list_attachments(issue_key='PROJ-1')" in error["hint"]
    assert names(jira) == ["steps.txt", "0.txt"]
    jira.faults.add(TooMany(0), path="addAttachment")
    assert (await call("jira_add_attachment", issue_key="PROJ-1", filename="2.txt", text="x"))["id"]
    assert names(jira) == ["steps.txt", "0.txt", "2.txt"]


async def test_what_jira_finds_too_large_is_said_in_its_words(call, jira):
    jira.most_bytes = 10
    error = await call("jira_add_attachment", issue_key="PROJ-1", filename="a.txt", text="x" * 11)
    assert (error["status_code"], "maximum size of 10 bytes" in error["error"]) == (413, True)
    error = await call("jira_add_attachment", issue_key="PROJ-99", filename="a.txt", text="x")
    assert (error["type"], "jira_search_issues" in error["hint"]) == ("not_found", True)


async def test_a_small_text_comes_with_the_answer_and_the_token_goes_to_no_other_host(call, jira):
    told = await call("jira_get_attachment", attachment_id=first(jira), issue_key="PROJ-1")
    assert told["text"] == "1. Choose a supplier\n2. Save\n"
    assert (told["name"], told["mime_type"], told["key"]) == ("steps.txt", "text/plain", "PROJ-1")
    fetched = jira.requests[-1]
    assert fetched.path.startswith("/media/") and fetched.headers["host"].startswith("localhost")
    assert "authorization" not in fetched.headers
    sent = len(jira.requests)
    assert await call("jira_get_attachment", attachment_id=first(jira), issue_key="PROJ-1") == told
    assert len(jira.requests) == sent, "it is kept for a moment"


async def test_everything_else_is_a_link_that_can_be_read_for_a_day(call, jira):
    id = jira.attach(jira.issue_by("PROJ-1"), "a.zip", DATA, "application/zip")["id"]
    raw = await call.raw("jira_get_attachment", attachment_id=id)
    link = raw["content"][0]
    assert (link["type"], link["name"], link["size"]) == ("resource_link", "a.zip", len(DATA))
    read = (await by_door(modern(call.place, "resources/read", {"uri": link["uri"]}))).result
    assert base64.b64decode(read["contents"][0]["blob"]) == DATA


async def test_a_file_that_is_too_large_is_not_fetched(call, jira):
    id = jira.attach(jira.issue_by("PROJ-1"), "a.zip", DATA, "application/zip")["id"]
    error = await call("jira_get_attachment", attachment_id=id, max_bytes=100)
    assert (error["code"], f"/secure/attachment/{id}/a.zip" in error["hint"]) == ("file_too_large", True)
    assert "getAttachmentContent" not in [hit.operation for hit in jira.operations]
    jira.faults.add(HugeBody(200_000), path="media")
    error = await call("jira_get_attachment", attachment_id=first(jira), max_bytes=1000)
    assert error["code"] == "too_large", "Jira may say less than comes"


async def test_a_redirect_inside_is_not_followed(call, jira):
    jira.faults.add(Redirect(status=303), path="getAttachmentContent")
    error = await call("jira_get_attachment", attachment_id=first(jira))
    assert error["code"] == "forbidden_address"


async def test_a_file_is_deleted_and_no_longer_told(call, jira):
    assert (await call("jira_get_issue", issue_key="PROJ-1", include=["attachments"]))["attachments"]
    id = first(jira)
    jira.faults.add(Reset(after=True), path="removeAttachment")
    assert await call("jira_delete_attachment", attachment_id=id) == {"id": id, "name": "steps.txt"}
    assert jira.files == {}
    assert (await call("jira_get_issue", issue_key="PROJ-1", include=["attachments"]))["attachments"] == []
    error = await call("jira_delete_attachment", attachment_id=id)
    assert (error["type"], "jira_list_attachments" in error["hint"]) == ("not_found", True)


async def test_files_of_other_projects_are_neither_told_nor_touched(desk, jira):
    fenced = await desk(projects=["PROJ"])
    id = jira.attach(jira.issue_by("OPS-1"), "secret.txt", b"secret", "text/plain")["id"]
    for tool, arguments, code in (
        ("jira_list_attachments", {"issue_key": "OPS-1"}, "project_not_allowed"),
        ("jira_add_attachment", {"issue_key": "OPS-1", "filename": "a", "text": "x"}, "project_not_allowed"),
        ("jira_get_attachment", {"attachment_id": id}, "issue_needed"),
        ("jira_get_attachment", {"attachment_id": id, "issue_key": "OPS-1"}, "project_not_allowed"),
        ("jira_get_attachment", {"attachment_id": id, "issue_key": "PROJ-1"}, "not_found"),
        ("jira_delete_attachment", {"attachment_id": id}, "issue_needed"),
        ("jira_delete_attachment", {"attachment_id": id, "issue_key": "OPS-1"}, "project_not_allowed"),
        ("jira_delete_attachment", {"attachment_id": id, "issue_key": "PROJ-1"}, "not_found"),
    ):
        told = await fenced(tool, **arguments)
        assert told["code"] == code, (tool, arguments)
    assert id in jira.files and names(jira, "OPS-1") == ["secret.txt"]
    own = first(jira)
    assert (await fenced("jira_get_attachment", attachment_id=own, issue_key="PROJ-1"))["text"]
    # The issue moved to the other project, and answers to its former key.
    issue = jira.issue_by("PROJ-1")
    known = jira.issue_by
    jira.issue_by = lambda name: issue if name == "PROJ-1" else known(name)
    issue |= {"key": "OPS-7", "project": "OPS"}
    for tool in ("jira_get_attachment", "jira_delete_attachment"):
        told = await fenced(
            tool, attachment_id=own, issue_key="PROJ-1", **({"max_bytes": 9} if "get" in tool else {})
        )
        assert told["code"] == "project_not_allowed"
    assert own in jira.files
