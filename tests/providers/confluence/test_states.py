"""Drafts, archived pages and the trash; pages that are none; titles of nothing."""

import pytest

from tests.doubles.faults import Status
from tests.providers.confluence.conftest import PAT


class Passed:
    """No fault: the request before the one that fails."""

    kind = "passed"

    async def strike(self, blow):
        await blow.line.answer(blow.work())


@pytest.fixture(params=["cloud", "data center"])
async def either(request, desk, at_server, confluence, server):
    """A desk and its pages by id, of each kind of installation."""
    if request.param == "cloud":
        return await desk(), confluence.pages
    return await at_server(PAT), server.pages


def named(rows, title):
    return next(row for row in rows.values() if row["title"] == title)


async def test_a_draft_is_read_written_to_and_thrown_away(either):
    call, rows = either
    draft = await call("confluence_create_page", title="Draft", content="a", space_key="DOCS", draft=True)
    assert (await call("confluence_get_page", page_id=draft["id"]))["content"] == "a"
    for word in "bc":
        got = await call("confluence_append_to_page", page_id=draft["id"], content=word)
        assert got.get("status") == "draft" or got["code"] == "not_on_data_center", got
    assert rows[draft["id"]]["body"] == ("<p>a</p>" if "code" in got else "<p>a</p><p>b</p><p>c</p>")
    gone = await call("confluence_delete_page", page_id=draft["id"])
    assert (gone["deleted"], gone["purged"]) == (True, True)
    assert draft["id"] not in rows


async def test_a_page_in_the_trash_is_purged_where_that_is_asked(either):
    call, rows = either
    page = named(rows, "How orders work")["id"]
    assert (await call("confluence_delete_page", page_id=page))["purged"] is False
    assert (await call("confluence_delete_page", page_id=page))["type"] == "not_found"
    assert (await call("confluence_delete_page", page_id=page, purge=True))["purged"] is True
    assert page not in rows


async def test_a_purge_that_is_refused_says_that_the_page_is_in_the_trash(call, confluence, pages):
    page = pages("How orders work")["id"]
    confluence.faults.add(Passed(), Status(403, "You may not"), path="deletePage")
    error = await call("confluence_delete_page", page_id=page, purge=True)
    assert (error["type"], "is in the trash" in error["hint"]) == ("permission", True)
    assert confluence.pages[page]["status"] == "trashed"


@pytest.mark.parametrize("status", ["archived", "trashed"])
async def test_a_page_that_is_not_current_is_neither_written_nor_restored(
    call, confluence, pages, monkeypatch, status
):
    page = pages("How orders work")
    shown = type(confluence).told_page
    monkeypatch.setattr(
        type(confluence), "told_page", lambda *given: {**shown(*given), "status": status}, raising=True
    )
    for tool, arguments in (
        ("confluence_update_page", {"content": "x"}),
        ("confluence_append_to_page", {"content": "x"}),
        ("confluence_update_page_section", {"heading": "Orders", "content": "x"}),
    ):
        error = await call(tool, page_id=page["id"], **arguments)
        assert (error["code"], status in error["error"]) == ("page_not_current", True)
    assert not [hit for hit in confluence.operations if hit.method == "PUT"]


async def test_what_is_no_page_is_not_changed_as_one_at_a_data_center(there, server):
    page = named(server.pages, "How orders work")
    comment = await there("confluence_add_comment", page_id=page["id"], comment="Mine")
    for tool, arguments in (
        ("confluence_get_page", {}),
        ("confluence_update_page", {"content": "x"}),
        ("confluence_delete_page", {}),
        ("confluence_move_page", {"target_id": page["id"]}),
    ):
        error = await there(tool, page_id=comment["id"], **arguments)
        assert error["type"] == "not_found", (tool, error)
        assert "comment" in error["error"]


@pytest.mark.parametrize("title", [" ", "\u202e\u200b", "\t"], ids=range(3))
async def test_a_title_of_nothing_is_refused_before_anything_is_sent(call, confluence, pages, title):
    page = pages("How orders work")["id"]
    for tool, arguments in (
        ("confluence_create_page", {"content": "x", "space_key": "DOCS"}),
        ("confluence_create_blogpost", {"content": "x", "space_key": "DOCS"}),
        ("confluence_update_page", {"page_id": page}),
        ("confluence_copy_page", {"page_id": page, "space_key": "TEAM"}),
    ):
        error = await call(tool, title=title, **arguments)
        assert error["error"] == "The title is blank.", tool
    assert not [hit for hit in confluence.operations if hit.method != "GET"]


async def test_a_copy_says_that_its_title_is_taken_or_its_places_differ(call, pages):
    page, home = pages("How orders work")["id"], pages("Team home")["id"]
    taken = await call("confluence_copy_page", page_id=page, title="Team home", space_key="TEAM")
    assert (taken["code"], "another title" in taken["hint"]) == ("title_taken", True)
    both = await call("confluence_copy_page", page_id=page, title="x", space_key="DOCS", parent_id=home)
    assert (both["type"], "TEAM" in both["error"]) == ("validation", True)


async def test_no_page_is_put_beside_one_at_the_top_of_its_space(call, confluence, pages):
    page, home = pages("How orders work"), pages("Documentation home")
    error = await call("confluence_move_page", page_id=page["id"], target_id=home["id"], position="after")
    assert (error["type"], 'position="append"' in error["hint"]) == ("validation", True)
    assert page["parent"] == home["id"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("confluence_get_comments", {}),
        ("confluence_add_labels", {"labels": ["a"]}),
        ("confluence_list_attachments", {}),
        ("confluence_get_children", {}),
        ("confluence_get_page_history", {}),
    ],
    ids=range(5),
)
async def test_a_page_that_is_not_there_is_told_with_how_to_find_one(call, tool, arguments):
    error = await call(tool, page_id="999999", **arguments)
    assert (error["type"], "confluence_search" in error["hint"]) == ("not_found", True)


async def test_a_version_that_is_not_there_is_told_with_what_lists_them(call, pages):
    page = pages("How orders work")["id"]
    error = await call("confluence_diff_versions", page_id=page, from_version=7)
    assert (error["type"], "confluence_get_page_history" in error["hint"]) == ("not_found", True)


async def test_a_blog_post_is_read_as_a_page_is(either):
    call, _ = either
    made = await call(
        "confluence_create_blogpost", title="News", content="**Refunds** are here", space_key="DOCS"
    )
    (listed,) = (await call("confluence_list_blogposts", space_key="DOCS", title="News"))["items"]
    for where in ({"page_id": listed["id"]}, {"url": listed["url"]}):
        if "/display/" in where.get("url", ""):  # names neither its id nor a page's title
            assert (await call("confluence_get_page", **where))["type"] == "validation"
            continue
        got = await call("confluence_get_page", **where, include_comments=True, include_history=True)
        assert (got["id"], got["type"], got["space"]) == (made["id"], "blogpost", "DOCS"), got
        assert (got["content"], got["comments"], len(got["history"])) == ("**Refunds** are here", [], 1)
    asked = await call("confluence_ask_page", page_id=made["id"], question="refunds")
    assert asked["passages"][0]["text"] == "**Refunds** are here"
    for tool, arguments in (
        ("confluence_update_page", {"content": "x"}),
        ("confluence_delete_page", {}),
    ):
        assert (await call(tool, page_id=made["id"], **arguments))["type"] == "not_found"


async def test_a_blog_post_of_another_space_is_not_read(desk, call, confluence):
    made = await call("confluence_create_blogpost", title="News", content="Secret", space_key="TEAM")
    fenced = await desk(spaces=["DOCS"])
    for where in ({"page_id": made["id"]}, {"url": f"{confluence.url}/wiki/spaces/DOCS/blog/{made['id']}"}):
        assert (await fenced("confluence_get_page", **where))["code"] == "space_not_allowed"
        assert (await fenced("confluence_ask_page", page_id=made["id"], question="x?"))[
            "type"
        ] == "permission"


async def test_an_archived_page_is_listed_as_one(call, pages):
    pages("How orders work")["status"] = "archived"
    rows = (await call("confluence_list_pages", space_key="DOCS", fields=["title", "status"]))["items"]
    assert {row["title"]: row.get("status") for row in rows} == {
        "How orders work": "archived",
        "Documentation home": None,
    }
