"""The same tools at a Data Center: version 1 of the API, a path, tokens and passwords of its own."""

import asyncio
import base64

import pytest

from connectors.providers.confluence.connector import Confluence
from connectors.providers.confluence.data_center import LACKING
from connectors.services import connection_check
from tests.doubles.confluence.data_center import DataCenter
from tests.doubles.faults import Reset, Status, TooMany
from tests.providers.confluence.conftest import PASSWORD, PAT

CONTENT = "## Orders\n\nAn order has **lines**.\n\n## Returns\n\nWithin 14 days.\n"


def page_of(server, title):
    return next(row for row in server.pages.values() if row["title"] == title)


async def made(there, title="New page", content=CONTENT, **more):
    page = await there("confluence_create_page", title=title, content=content, space_key="DOCS", **more)
    assert "id" in page, page
    return page


async def test_pages_are_written_read_and_changed(there, server):
    page = await made(there)
    assert (page["space"], page["parent_id"]) == ("DOCS", page_of(server, "Documentation home")["id"])
    assert page["url"] == f"{server.url}/confluence/display/DOCS/New%20page"
    assert page["author"] == {"id": "ada", "name": "Ada Lovelace"}
    for where in ({"page_id": page["id"]}, {"title": "New page", "space_key": "docs"}):
        assert (await there("confluence_get_page", **where))["content"] == CONTENT.strip()
    asked = await there("confluence_ask_page", page_id=page["id"], question="When can I return it?")
    assert asked["passages"][0]["heading"] == "Returns"
    section = {"heading": "Returns", "content": "Never.", "message": "Stricter"}
    assert (await there("confluence_update_page_section", page_id=page["id"], **section))["version"] == 2
    assert (await there("confluence_append_to_page", page_id=page["id"], content="End."))["version"] == 3
    assert (await there("confluence_update_page", page_id=page["id"], title="Newer", minor=True))[
        "version"
    ] == 4
    assert server.pages[page["id"]]["versions"][-1]["minorEdit"] is True
    got = await there("confluence_get_page", page_id=page["id"], include_history=True, include_comments=True)
    assert (got["title"], got["content"].split("\n\n")[-2:]) == ("Newer", ["Never.", "End."])
    assert [row["version"] for row in got["history"]] == [4, 3, 2, 1]


@pytest.mark.parametrize("later", [False, True])
async def test_versions_are_listed_read_and_compared(there, server, monkeypatch, later):
    monkeypatch.setattr(DataCenter, "later", later)
    page = await made(there, content="first")
    await there("confluence_update_page", page_id=page["id"], content="second", message="Better")
    history = await there("confluence_get_page_history", page_id=page["id"])
    assert [(row["version"], row["by"]) for row in history["items"]] == [(2, "p1"), (1, "p1")]
    assert history["people"] == {"p1": {"id": "ada", "name": "Ada Lovelace"}}
    former = await there("confluence_get_page_version", page_id=page["id"], version=1)
    assert (former["content"], former["version"], former["space"]) == ("first", 1, "DOCS")
    diff = await there("confluence_diff_versions", page_id=page["id"], from_version=1)
    assert {"-first", "+second"} <= set(diff["diff"].splitlines())


async def test_pages_are_found_by_words_and_cql_and_paged(there):
    got = await there("confluence_search", query="orders")
    assert [(hit["title"], hit["space"]) for hit in got["items"]] == [("How orders work", "DOCS")]
    assert got["items"][0]["url"].endswith("/confluence/display/DOCS/How%20orders%20work")
    seen, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        got = await there("confluence_search", query="type = page ORDER BY title", limit=1, **more)
        seen += [hit["title"] for hit in got["items"]]
        if not (cursor := got["next_cursor"]):
            break
    assert seen == ["Documentation home", "How orders work", "Team home"]
    bad = await there("confluence_search", query='title = "x" AND colour = red')
    assert (bad["type"], "CQL looks like" in bad["hint"]) == ("validation", True)


async def test_spaces_and_the_tree_are_walked(there, server):
    home, orders = page_of(server, "Documentation home")["id"], page_of(server, "How orders work")["id"]
    child = (await made(there, "Child", parent_id=orders))["id"]
    assert [row["key"] for row in (await there("confluence_list_spaces"))["items"]] == ["DOCS", "TEAM"]
    assert (await there("confluence_list_spaces", limit=1))["next_cursor"]
    assert (await there("confluence_get_space", space_key="docs"))["homepage_id"] == home
    listed = await there("confluence_list_pages", space_key="DOCS", limit=2)
    assert (listed["items"][0]["id"], bool(listed["next_cursor"])) == (child, True)
    assert [
        row["id"] for row in (await there("confluence_list_pages", space_key="DOCS", top_level=True))["items"]
    ] == [home]
    assert (await there("confluence_list_pages", space_key="DOCS", title="Child"))["count"] == 1
    assert [row["id"] for row in (await there("confluence_get_children", page_id=orders))["items"]] == [child]
    above = await there("confluence_get_ancestors", page_id=child)
    assert [row["title"] for row in above["items"]] == ["Documentation home", "How orders work"]
    tree = await there("confluence_get_page_tree", space_key="DOCS")
    assert {(row["title"], row["depth"], row["parent_id"]) for row in tree["items"]} == {
        ("How orders work", 1, home), ("Child", 2, orders)
    }  # fmt: skip
    assert (await there("confluence_get_page_tree", page_id=home, depth=1))["count"] == 1


async def test_comments_and_labels_are_kept(there, server):
    page = page_of(server, "How orders work")
    server.cloud.make_comment(page, "<p>Why?</p>", about="lines")
    first = await there("confluence_add_comment", page_id=page["id"], comment="Is this **so**?")
    reply = await there("confluence_add_comment", page_id=page["id"], comment="Yes", reply_to=first["id"])
    assert reply["reply_to"] == first["id"]
    got = await there("confluence_get_comments", page_id=page["id"])
    assert [(one["text"], one["author"]["name"]) for one in got["items"]] == [
        ("Is this **so**?", "Ada Lovelace")
    ]
    replies = await there("confluence_get_comments", page_id=page["id"], replies_to=first["id"])
    assert [one["text"] for one in replies["items"]] == ["Yes"]
    beside = await there("confluence_get_comments", page_id=page["id"], kind="inline")
    assert [(one["about"], one["state"]) for one in beside["items"]] == [("lines", "open")]
    assert (await there("confluence_add_labels", page_id=page["id"], labels=["HowTo"]))["labels"] == ["howto"]
    assert (await there("confluence_get_labels", page_id=page["id"]))["count"] == 1
    assert (await there("confluence_search", query='label = "howto"'))["count"] == 1
    assert (await there("confluence_remove_label", page_id=page["id"], label="howto"))["removed"]


async def test_files_are_listed_read_and_uploaded_again(there, server):
    page = page_of(server, "How orders work")["id"]
    for version, words in ((1, b"first"), (2, b"second")):
        got = await there(
            "confluence_upload_attachment", page_id=page, filename="a b.txt",
            content_base64=base64.b64encode(words).decode(),
        )  # fmt: skip
        assert (got["version"], got["name"]) == (version, "a b.txt")
    listed = await there("confluence_list_attachments", page_id=page, filename="a b.txt")
    assert [(row["id"], row["size"]) for row in listed["items"]] == [(got["id"], 6)]
    read = await there("confluence_get_attachment", page_id=page, attachment_id=got["id"])
    assert read["text"] == "second"
    other = page_of(server, "Team home")["id"]
    assert (await there("confluence_get_attachment", page_id=other, attachment_id=got["id"]))[
        "type"
    ] == "not_found"


async def test_pages_are_moved_below_others_deleted_and_blog_posts_written(there, server):
    orders, team = page_of(server, "How orders work")["id"], page_of(server, "Team home")["id"]
    page = (await made(there, "Wanderer"))["id"]
    moved = await there("confluence_move_page", page_id=page, target_id=orders)
    assert (moved["parent_id"], moved["version"]) == (orders, 2)
    for target, position in ((orders, "before"), (team, "append")):
        refused = await there("confluence_move_page", page_id=page, target_id=target, position=position)
        assert refused["code"] == "not_on_data_center"
    assert (await there("confluence_get_page", page_id=page))["content"] == CONTENT.strip()
    assert (await there("confluence_delete_page", page_id=page, purge=True))["purged"]
    assert page not in server.pages
    assert (await there("confluence_create_blogpost", title="News", content="x", space_key="DOCS"))[
        "title"
    ] == "News"
    assert (await there("confluence_list_blogposts", space_key="DOCS", title="News"))["count"] == 1
    assert "items" in await there("confluence_list_blogposts", space_key="DOCS")


async def test_what_a_data_center_cannot_do_is_said_and_hidden(there, server):
    page = page_of(server, "How orders work")["id"]
    for tool, arguments in (
        ("confluence_copy_page", {"page_id": page, "parent_id": page, "title": "x"}),
        ("confluence_list_tasks", {}),
        ("confluence_search_users", {"query": "ada"}),
    ):
        assert (await there(tool, **arguments))["code"] == "not_on_data_center", tool
    assert not {
        name for name in LACKING if Confluence.tools[name].default_on or Confluence.tools[name].required
    }
    found = await connection_check(there.connection)
    assert (found.ok, found.details["way"], found.details["account"]) == (True, "data center", "Ada Lovelace")
    assert set(LACKING) <= set(found.details["hidden_tools"])


async def test_both_ways_to_sign_in_work_and_bad_ones_are_told(at_server, server):
    for values in (PAT, PASSWORD):
        got = await (await at_server(values))("confluence_connection_info")
        assert (got["account"], got["way"]) == ({"id": "ada", "name": "Ada Lovelace"}, "data center")
    bearer = await at_server({"method": "bearer", "token": "sandbox-pat"}, deployment="data_center")
    assert (await bearer("confluence_list_spaces"))["count"] == 2
    for values in ({**PAT, "token": "not-a-good-token"}, {**PASSWORD, "token": "not-a-good-password"}):
        got = await (await at_server(values))("confluence_list_spaces")
        assert got["type"] == "authentication"
        assert values["token"] not in str(got)
    nobody = await at_server({**PAT, "token": "token-of-nobody"})
    assert (await connection_check(nobody.connection)).ok is False


async def test_its_path_is_found_where_it_is_the_usual_one(at_server, server, monkeypatch):
    monkeypatch.setattr(DataCenter, "context", "/wiki")
    assert (await (await at_server())("confluence_list_spaces"))["count"] == 2
    monkeypatch.setattr(DataCenter, "context", "/elsewhere")
    wrong = await at_server()
    monkeypatch.setattr(DataCenter, "context", "/nowhere")
    assert (await wrong("confluence_list_spaces"))["code"] == "no_data_center"


async def test_a_race_of_two_writers_ends_in_a_conflict_and_loses_nothing(there, server):
    page = (await made(there))["id"]
    lines = (
        there("confluence_append_to_page", page_id=page, content=f"Line {number}") for number in range(4)
    )
    results = await asyncio.gather(*lines)
    stored = [one for one in results if "version" in one]
    assert all(one["code"] == "version_conflict" for one in results if "version" not in one)
    assert (
        server.pages[page]["body"].count("<p>Line") == len(stored) == len(server.pages[page]["versions"]) - 1
    )
    taken = await there("confluence_create_page", title="New page", content="x", space_key="DOCS")
    assert taken["code"] == "title_taken"


async def test_a_limit_is_waited_for_and_a_lost_answer_is_not_made_good_by_a_second_page(there, server):
    server.faults.add(TooMany(0))
    page = page_of(server, "Team home")["id"]
    assert (await there("confluence_get_page", page_id=page))["title"] == "Team home"
    server.faults.add(Reset(after=True), path="createContent")
    lost = await there("confluence_create_page", title="Once", content="x", space_key="DOCS")
    assert (lost["type"], lost["retryable"], "confluence_get_page" in lost["hint"]) == (
        "connection",
        False,
        True,
    )
    assert [row["title"] for row in server.pages.values()].count("Once") == 1
    server.faults.add(Status(403, "You may not"), path="updateContent")
    assert (await there("confluence_update_page", page_id=page, title="x"))["type"] == "permission"


async def test_no_tool_reaches_a_space_that_is_not_allowed(at_server, server):
    fenced, team = await at_server(spaces=["DOCS"]), page_of(server, "Team home")["id"]
    mine = page_of(server, "How orders work")["id"]
    for tool, arguments in (
        ("confluence_get_page", {"page_id": team}),
        ("confluence_get_page", {"title": "Team home", "space_key": "TEAM"}),
        ("confluence_get_comments", {"page_id": team}),
        ("confluence_add_comment", {"page_id": team, "comment": "x"}),
        ("confluence_update_page", {"page_id": team, "content": "x"}),
        ("confluence_get_page_version", {"page_id": team, "version": 1}),
        ("confluence_create_page", {"title": "x", "content": "x", "space_key": "DOCS", "parent_id": team}),
        ("confluence_move_page", {"page_id": mine, "target_id": team}),
        ("confluence_list_attachments", {"page_id": team}),
    ):
        assert (await fenced(tool, **arguments))["type"] == "permission", tool
    assert (await fenced("confluence_search", query="team"))["items"] == []
    assert [row["key"] for row in (await fenced("confluence_list_spaces"))["items"]] == ["DOCS"]
    assert not [hit for hit in server.operations if hit.method != "GET"]


async def test_a_file_whose_answer_was_lost_is_not_put_there_twice(there, server):
    page = next(row for row in server.pages.values() if row["title"] == "How orders work")
    said = {"page_id": page["id"], "filename": "notes.txt"}
    assert (await there("confluence_upload_attachment", **said, text="one"))["version"] == 1
    server.faults.add(Reset(after=True), method="POST")
    lost = await there("confluence_upload_attachment", **said, text="two")
    assert (lost["type"], lost["retryable"]) == ("connection", False)
    assert [row["version"] for row in page["files"].values()] == [2]


async def test_a_page_is_got_by_the_address_that_other_tools_gave(there, server):
    page = await made(there, title="A & b + 1%")
    got = await there("confluence_get_page", url=page["url"])
    assert (got["id"], got["title"]) == (page["id"], "A & b + 1%")
    for path in (
        "/display/DOCS/How+orders+work",
        "/pages/viewpage.action?spaceKey=DOCS&title=How+orders+work",
    ):
        got = await there("confluence_get_page", url=f"{server.url}{server.context}{path}")
        assert got["title"] == "How orders work"
    for path in ("/x/AQ", "/display/DOCS", "/display/a%2Fb/c"):
        error = await there("confluence_get_page", url=f"{server.url}{server.context}{path}")
        assert (error["type"], "short links" in error["hint"]) == ("validation", True)
