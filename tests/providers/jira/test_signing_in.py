"""Whose credential serves a call, where it works, and what the connection's test finds."""

import json
import logging
from datetime import date, timedelta

import pytest

from common.db import in_db
from connectors.services import connection_check, credential_set
from tenants.errors import InvalidValue
from tests.doubles.atlassian import CLOUD_ID
from tests.factories import SYSTEM, make_connection, make_tenant
from tests.mcp_endpoint.speak import by_door, modern
from tests.providers.jira.conftest import BO

BEARER = {"method": "bearer", "token": "sandbox-jira-oauth"}


def refuse_at_the_site(jira):
    """As if the site knew no token with scopes."""
    who = jira.door.who
    jira.door.who = lambda request: who(request) if "/ex/" in request.base_url else None


async def test_a_classic_token_works_at_the_site_and_is_tried_once(call, jira):
    for key in ("PROJ-1", "PROJ-2"):
        await call("jira_get_issue", issue_key=key)
    asked = ["getServerInfoOfVersion2", "getCurrentUser", "getIssue", "getIssue"]
    assert [hit.operation for hit in jira.operations] == asked
    assert all("/ex/" not in request.base_url for request in jira.requests)


async def test_a_token_with_scopes_works_behind_the_gateway_whose_cloud_id_is_found(call, jira):
    refuse_at_the_site(jira)
    for key in ("PROJ-1", "PROJ-2"):
        assert (await call("jira_get_issue", issue_key=key))["url"] == f"{jira.url}/browse/{key}"
    paths = [request.base_url.removeprefix(jira.url) for request in jira.requests]
    assert paths == ["", "", "", *[f"/ex/jira/{CLOUD_ID}"] * 3]
    asked = [request for request in jira.requests if "tenant_info" in request.path]
    assert len(asked) == 1
    assert "authorization" not in asked[0].headers


async def test_a_service_accounts_token_goes_to_the_gateway_alone(desk, jira):
    call = await desk(BEARER)
    assert (await call("jira_get_issue", issue_key="PROJ-1"))["key"] == "PROJ-1"
    signed = [request for request in jira.requests if "authorization" in request.headers]
    assert signed
    assert all("/ex/" in request.base_url for request in signed)


async def test_a_scope_that_is_missing_is_no_bad_token(desk, jira):
    refuse_at_the_site(jira)
    call = await desk(BO)
    assert (await call("jira_get_issue", issue_key="PROJ-1"))["key"] == "PROJ-1"
    error = await call("jira_add_comment", issue_key="PROJ-1", comment="x")
    assert (error["type"], error["code"]) == ("permission", "scope_missing")


async def test_a_bad_token_is_told_and_never_quoted(desk, jira):
    call = await desk({"email": "ada@example.com", "token": "very-secret-token"})
    error = await call("jira_get_issue", issue_key="PROJ-1")
    assert (error["type"], error["code"]) == ("authentication", "token_refused")
    assert "very-secret" not in json.dumps(error)


async def test_a_token_that_ends_is_told_and_a_new_one_is_tried_anew(desk, jira):
    call = await desk()
    await call("jira_get_transitions", issue_key="PROJ-1")
    jira.door.revoke("sandbox-jira-token")
    assert (await call("jira_get_transitions", issue_key="PROJ-1"))["type"] == "authentication"
    await in_db(credential_set, call.connection, BEARER, actor=SYSTEM)
    assert (await call("jira_get_transitions", issue_key="PROJ-1"))["count"] == 3


async def test_the_test_says_who_we_are_what_is_left_and_what_is_of_no_use(desk, jira):
    ends = date.today() + timedelta(days=5)
    call = await desk({**BO, "expires_at": ends.isoformat()}, projects=["PROJ"])
    told = await call("jira_connection_info")
    assert (told["ok"], told["account"]["name"], told["projects"]) == (True, "Bo Reader", ["PROJ"])
    assert told["expires_in_days"] == 5
    assert told["quota_left"] > 0
    assert "jira_create_issue" in told["hidden_tools"]
    assert any("ends in 5 days" in text for text in told["warnings"])
    assert any("ATATT" in text for text in told["warnings"])
    checked = await connection_check(call.connection)
    assert checked.ok
    assert "Bo Reader" in checked.message
    assert "hidden_tools" not in await (await desk())("jira_connection_info")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"token": "x"}, "e-mail"),
        ({"email": "a@example.com"}, "API token"),
        ({"method": "bearer"}, "token"),
        ({"method": "magic", "token": "x"}, "method"),
    ],
    ids=["email", "token", "bearer", "method"],
)
def test_the_missing_field_is_named(values, said):
    tenant = make_tenant()
    connection = make_connection(
        tenant, "jira", settings={"site": "example.atlassian.net"}, credential_mode="shared"
    )
    with pytest.raises(InvalidValue) as caught:
        credential_set(connection=connection, values=values, actor=SYSTEM)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("example.atlassian.net", "https://example.atlassian.net"),
        ("https://Example.atlassian.net/jira/software/projects", "https://example.atlassian.net"),
        ("https://jira.example.com/jira/browse/X-1", "https://jira.example.com/jira"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
    ],
    ids=["host", "page", "path", "port"],
)
def test_a_site_is_understood_as_people_paste_it(text, address):
    row = make_connection(make_tenant(), "jira", settings={"site": text}, credential_mode="none")
    assert row.settings["site"] == address


def test_what_is_no_site_is_refused():
    for text in ("ftp://x.example", "https://user:pw@x.example", "", "https://api.atlassian.com/ex/jira/1"):
        with pytest.raises(InvalidValue):
            make_connection(make_tenant(), "jira", settings={"site": text}, credential_mode="none")


async def test_two_tenants_never_share_a_result_a_place_or_a_cursor(desk, jira):
    ada, bo = await desk(), await desk(BO, projects=["PROJ"])
    page = await ada("jira_search_issues", jql="key IS NOT EMPTY", max_results=1)
    other = await bo("jira_search_issues", jql="key IS NOT EMPTY", max_results=1, cursor=page["next_cursor"])
    assert other["code"] == "bad_cursor"
    assert (await bo("jira_search_issues", jql="project = OPS"))["count"] == 0
    assert (await ada("jira_search_issues", jql="project = OPS"))["count"] == 1
    assert (await bo("jira_get_issue", issue_key="OPS-1"))["code"] == "project_not_allowed"
    users = {request.account.id for request in jira.requests if request.account}
    assert len(users) == 2


async def test_the_token_is_nowhere_but_in_the_request(desk, jira, caplog):
    caplog.set_level(logging.DEBUG)
    call = await desk()
    for tool, arguments in (
        ("jira_get_issue", {"issue_key": "PROJ-1"}), ("jira_get_issue", {"issue_key": "PROJ-99"}),
        ("jira_connection_info", {}), ("jira_search_issues", {"jql": "colour = 1"}),
    ):  # fmt: skip
        assert "sandbox-jira-token" not in json.dumps(await call.raw(tool, **arguments))
    assert "sandbox-jira-token" not in caplog.text


async def test_prompts_and_resources(desk, jira):
    call = await desk(projects=["PROJ"])
    uri = f"jira://{call.connection.slug}/issue/PROJ-1"
    read = (await by_door(modern(call.place, "resources/read", {"uri": uri}))).result
    assert "# PROJ-1: Order flow breaks" in read["contents"][0]["text"]
    uri = f"jira://{call.connection.slug}/project/PROJ"
    read = (await by_door(modern(call.place, "resources/read", {"uri": uri}))).result
    assert "Story" in read["contents"][0]["text"]
    uri = f"jira://{call.connection.slug}/issue/OPS-1"
    assert "error" in (await by_door(modern(call.place, "resources/read", {"uri": uri}))).json
    got = await by_door(
        modern(
            call.place, "prompts/get", {"name": "summarize-jira-issue", "arguments": {"issue_key": "PROJ-1"}}
        )
    )
    assert "jira_summarize_issue" in got.result["messages"][0]["content"]["text"]
    asked = {
        "ref": {"type": "ref/resource", "uri": "jira://{connection}/project/{key}"},
        "argument": {"name": "key", "value": "P"},
    }
    found = (await by_door(modern(call.place, "completion/complete", asked))).result
    assert found["completion"]["values"] == ["PROJ"]
