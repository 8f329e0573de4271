"""Signing in at GitHub: apps, personal tokens, what the connection's test tells, limits and pace."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from connectors.providers.github import pacing
from connectors.providers.github.auth import narrowed, pem
from connectors.providers.github.etags import Etags
from connectors.services import connection_check
from connectors.upstream.answers import Answer
from tests.providers.github.conftest import PAT, REPO


async def test_an_app_gets_one_token_for_many_calls_and_another_after_a_401(open_desk, github, app):
    desk = await open_desk(credential=app)
    found = await asyncio.gather(*(desk("github_get_issue", repo=REPO, issue_number=1) for _ in range(20)))
    assert {one["number"] for one in found} == {1}
    assert len(github.app_tokens) == 1
    github.door.revoke(github.app_tokens[0])
    assert (await desk("github_get_issue", repo=REPO, issue_number=1))["number"] == 1
    assert len(github.app_tokens) == 2
    assert (await desk("github_list_repositories"))["count"] == 2
    assert github.operations[-1].operation == "apps/list-repos-accessible-to-installation"
    assert (await desk("github_get_me"))["login"] == "portico-bot[bot]"


async def test_fifty_calls_with_a_token_that_ended_make_one_renewal_and_none_of_them_fails(
    open_desk, github, app
):
    desk = await open_desk(credential=app)
    await desk("github_get_issue", repo=REPO, issue_number=1)
    github.door.revoke(github.app_tokens[0])
    calls = [desk("github_get_issue", repo=REPO, issue_number=1) for _ in range(50)]
    found = await asyncio.gather(*calls)
    assert [one.get("number") for one in found] == [1] * 50
    assert len(github.app_tokens) == 2


async def test_a_token_is_renewed_before_its_end_and_narrowed_to_the_allow_list(open_desk, github, app):
    github.app_lives_s = 60.0  # renewed at nine tenths of what is left of it, never used beyond
    desk = await open_desk(credential=app, repositories=[REPO])
    await desk("github_get_repository", repo=REPO)
    assert github.narrowed == [["hello-world"]]
    assert narrowed(["a/x", "a/y"]) == ["x", "y"]
    assert narrowed(["a/x", "b/y"]) == narrowed(["a/*"]) == narrowed([]) == []


async def test_a_key_that_lost_its_line_breaks_is_mended(app):
    whole = app["private_key"].strip()
    assert pem(whole.replace("\n", "\\n")) == pem(whole.replace("\n", " ")) == pem(whole) == f"{whole}\n"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"private_key": "nonsense"}, "bad_private_key"), ({"app_id": "1"}, "token_refused"),
     ({"installation_id": "12"}, "token_refused")],
    ids=["key", "app", "installation"],
)  # fmt: skip
async def test_what_is_wrong_with_an_app_is_said_without_its_key(open_desk, github, app, change, code):
    desk = await open_desk(credential={**app, **change})
    error = await desk("github_get_repository", repo=REPO)
    assert (error["type"], error["code"]) == ("authentication", code)
    assert app["private_key"][40:80] not in str(error)


async def test_the_test_of_a_connection_tells_who_what_until_when_and_how_much(open_desk, github, app):
    soon = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    desk = await open_desk(credential={**PAT, "expires_at": soon})
    result = await connection_check(desk.connection)
    assert result.ok and "octo" in result.message and "expires in" in result.message
    assert result.details["scopes"] == ["read:org", "repo", "workflow"]
    assert result.details["limits"]["core"]["limit"] == 5000
    assert "does not begin with ghp_" in result.message
    reader = await open_desk(credential={"method": "classic", "token": "sandbox-github-reader"})
    told = await reader("github_connection_info")
    assert "github_create_issue" in told["hidden_tools"]
    assert "github_get_issue" not in told["hidden_tools"]
    github.app_permissions = {"metadata": "read", "contents": "read", "issues": "write"}
    robot = await open_desk(credential=app)
    told = await robot("github_connection_info")
    assert (told["login"], told["permissions"]["issues"]) == ("portico-bot[bot]", "write")
    assert "github_create_or_update_file" in told["hidden_tools"]
    assert "github_create_issue" not in told["hidden_tools"]
    bad = await open_desk(credential={"method": "fine_grained", "token": "github_pat_gone"})
    result = await connection_check(bad.connection)
    assert not result.ok
    assert "refused the token" in result.message


async def test_what_has_not_changed_costs_nothing_and_belongs_to_one_credential(open_desk, github):
    desk = await open_desk()
    before = await desk("github_get_repository", repo=REPO)
    left = github.quota.left(github.people["octo"])
    assert await desk("github_get_repository", repo=REPO) == before
    assert github.quota.left(github.people["octo"]) == left
    assert "if-none-match" in github.requests[-1].headers
    other = await open_desk()
    await other("github_get_repository", repo=REPO)
    assert "if-none-match" not in github.requests[-1].headers
    github.repos[REPO]["description"] = "Changed"
    assert (await desk("github_get_repository", repo=REPO))["description"] == "Changed"


def test_what_is_known_of_many_small_answers_is_bounded():
    known, tenant = Etags(max_bytes=100_000), uuid4()
    for number in range(500):
        headers = {"etag": f'"{number}"', "link": "x" * 500}
        known.put((tenant, tenant, "", f"https://api.github.com/{number}"), Answer(200, headers, b"[]", ""))
    kept = [
        number for number in range(500) if known.get((tenant, tenant, "", f"https://api.github.com/{number}"))
    ]
    assert kept and len(kept) < 50 and kept[-1] == 499


async def test_pages_go_on_after_an_unchanged_one(open_desk):
    desk = await open_desk()
    first = await desk("github_list_repositories", limit=1)
    again = await desk("github_list_repositories", limit=1)
    assert again["items"] == first["items"]
    assert (await desk("github_list_repositories", limit=1, cursor=again["next_cursor"]))["count"] == 1


async def test_a_write_ends_kept_results(open_desk):
    desk = await open_desk(cache=True)
    await desk("github_get_issue", repo=REPO, issue_number=1)
    got = await desk.result("github_get_issue", repo=REPO, issue_number=1)
    assert got["_meta"]["cache"] == "hit"
    await desk("github_update_issue", repo=REPO.upper(), issue_number=1, title="New title")
    assert (await desk("github_get_issue", repo=REPO, issue_number=1))["title"] == "New title"


async def test_writes_of_a_credential_wait_for_each_other(open_desk, monkeypatch):
    monkeypatch.setattr(pacing, "APART_S", 0.15)
    desk, other = await open_desk(), await open_desk()
    loop = asyncio.get_running_loop()
    began = loop.time()
    calls = [desk("github_add_issue_comment", repo=REPO, issue_number=1, body=str(n)) for n in range(4)]
    assert all(
        "error" not in one
        for one in await asyncio.gather(*calls, other("github_create_issue", repo=REPO, title="x"))
    )
    assert loop.time() - began >= 3 * 0.15


async def test_too_many_writes_are_sent_back_before_they_are_sent(open_desk, github, monkeypatch):
    desk = await open_desk()
    monkeypatch.setattr(pacing, "APART_S", 100.0)
    await desk("github_add_issue_comment", repo=REPO, issue_number=1, body="1")
    error = await desk("github_add_issue_comment", repo=REPO, issue_number=1, body="2")
    assert (error["type"], error["code"], error["retryable"]) == ("rate_limit", "write_pace", True)
    assert 50 < error["retry_after"] <= 100
    assert [hit.operation for hit in github.operations].count("issues/create-comment") == 1


async def test_without_redis_a_process_keeps_the_pace_itself(open_desk, monkeypatch):
    async def away(question):
        return None

    monkeypatch.setattr(pacing, "asked", away)
    desk = await open_desk()
    monkeypatch.setattr(pacing, "APART_S", 100.0)
    assert (await desk("github_add_issue_comment", repo=REPO, issue_number=1, body="1"))["id"]
    assert (await desk("github_add_issue_comment", repo=REPO, issue_number=1, body="2"))[
        "code"
    ] == "write_pace"


async def test_two_tenants_never_share_a_token_nor_an_answer(open_desk, github, app):
    one = await open_desk(credential=app, repositories=[REPO])
    two = await open_desk(credential={"method": "classic", "token": "sandbox-github-reader"})
    assert (await one("github_get_repository", repo=REPO))["repo"] == REPO
    assert (await two("github_get_repository", repo="octo/secrets.io"))["type"] == "not_found"
    sent = [request.headers["authorization"] for request in github.requests if "secrets.io" in request.path]
    assert sent == ["Bearer sandbox-github-reader"]


async def test_secrets_are_in_no_answer_and_no_log(open_desk, github, app, caplog):
    caplog.set_level(logging.DEBUG)
    desk = await open_desk(credential=app)
    said = [await desk("github_connection_info"), await desk("github_get_repository", repo="octo/nothing")]
    told = f"{said} {caplog.text}"
    assert github.app_tokens[0] not in told
    assert app["private_key"][40:80] not in told
    words = [
        r.headers["authorization"].partition(" ")[2] for r in github.requests if "authorization" in r.headers
    ]
    assert not [word for word in words if word in told]
