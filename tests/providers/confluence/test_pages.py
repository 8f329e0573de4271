"""Pages through the connector's tools: found, read, asked, made, changed; and what may go wrong."""

import asyncio

import pytest

from tests.doubles.faults import Reset, Status, TooMany

CONTENT = "## Orders\n\nAn order has **lines**.\n\n> [!NOTE] Mind\n>\n> No refunds.\n\n## Returns\n\nWithin 14 days.\n"


async def made(call, title="New page", content=CONTENT, **more):
    page = await call("confluence_create_page", title=title, content=content, space_key="DOCS", **more)
    assert "id" in page, page
    return page


async def test_a_page_is_written_in_markdown_and_read_back(call, confluence):
    page = await made(call)
    assert page["url"] == f"{confluence.url}/wiki/spaces/DOCS/pages/{page['id']}"
    assert "<ac:structured-macro" in confluence.pages[page["id"]]["body"]
    got = await call("confluence_get_page", page_id=page["id"])
    assert got["content"] == CONTENT.strip()
    assert (got["space"], got["version"]) == ("DOCS", 1)
    assert not {"next_start", "characters"} & set(got)
    named = await call("confluence_get_page", title="New page", space_key="docs")
    by_url = await call("confluence_get_page", url=page["url"])
    assert named["id"] == by_url["id"] == page["id"]
    raw = await call("confluence_get_page", page_id=page["id"], raw=True)
    assert raw["content"] == confluence.pages[page["id"]]["body"]


async def test_a_long_page_comes_in_parts_that_fit_together(call):
    page = await made(call, content="\n\n".join(f"Paragraph {number}." for number in range(200)))
    parts, start = [], 0
    while start is not None:
        got = await call("confluence_get_page", page_id=page["id"], start=start, max_chars=1000)
        parts.append(got["content"])
        assert got["characters"] > 1000
        start = got.get("next_start")
    assert "".join(parts) == "\n\n".join(f"Paragraph {number}." for number in range(200))


async def test_a_page_brings_its_comments_and_history_where_asked(call):
    page = await made(call)
    await call("confluence_add_comment", page_id=page["id"], comment="Is this **so**?")
    got = await call("confluence_get_page", page_id=page["id"], include_comments=True, include_history=True)
    assert [one["text"] for one in got["comments"]] == ["Is this **so**?"]
    assert [one["version"] for one in got["history"]] == [1]
    assert not {"more_comments", "more_history"} & set(got)


async def test_a_page_with_more_comments_and_versions_than_come_with_it_says_where_they_are(
    call, confluence, pages
):
    page = pages("How orders work")
    for number in range(26):
        confluence.make_comment(page, f"<p>{number}</p>")
    page["versions"] += [{**page["versions"][0], "number": number} for number in range(2, 13)]
    got = await call("confluence_get_page", page_id=page["id"], include_comments=True, include_history=True)
    assert (len(got["comments"]), [one["version"] for one in got["history"]]) == (25, [*range(12, 2, -1)])
    assert f'confluence_get_comments(page_id="{page["id"]}")' in got["more_comments"]
    assert f'confluence_get_page_history(page_id="{page["id"]}")' in got["more_history"]
    history = await call("confluence_get_page_history", page_id=page["id"], limit=12)
    assert [row["version"] for row in history["items"]] == [*range(12, 0, -1)]
    assert {row["by"] for row in history["items"]} == {"p1"} == set(history["people"])


async def test_a_question_gets_the_passages_with_its_words(call):
    page = await made(call)
    got = await call("confluence_ask_page", page_id=page["id"], question="When can I return an order?")
    assert got["passages"][0]["heading"] == "Returns"
    none = await call("confluence_ask_page", page_id=page["id"], question="zebra")
    assert (none["passages"], "confluence_get_page" in none["hint"]) == ([], True)


async def test_search_takes_words_and_cql_and_pages_through_the_hits(call):
    got = await call("confluence_search", query="orders")
    assert [hit["title"] for hit in got["items"]] == ["How orders work"]
    assert got["items"][0]["space"] == "DOCS"
    seen, cursor = [], None
    while True:
        got = await call(
            "confluence_search",
            query="type = page ORDER BY title",
            limit=1,
            **({"cursor": cursor} if cursor else {}),
        )
        seen += [hit["title"] for hit in got["items"]]
        assert got["total"] == 3
        if not (cursor := got["next_cursor"]):
            break
    assert seen == ["Documentation home", "How orders work", "Team home"]
    wrong = await call("confluence_search", query='colour = "red" OR title = x')
    assert wrong["items"] == [] or "error" in wrong
    bad = await call("confluence_search", query='title = "x" AND colour = red')
    assert (bad["type"], "CQL looks like" in bad["hint"], "colour" in bad["error"]) == (
        "validation",
        True,
        True,
    )


async def test_spaces_are_listed_and_got(call):
    got = await call("confluence_list_spaces")
    assert [(row["key"], row["name"]) for row in got["items"]] == [
        ("DOCS", "Documentation"),
        ("TEAM", "Team"),
    ]
    one = await call("confluence_get_space", space_key="team")
    assert one["key"] == "TEAM"
    assert (await call("confluence_get_space", space_key="NONE"))["code"] == "no_space"
    first = await call("confluence_list_spaces", limit=1)
    again = await call("confluence_list_spaces", limit=1, cursor=first["next_cursor"])
    assert (again["items"][0]["key"], again["next_cursor"]) == ("TEAM", None)


async def test_what_is_written_is_read_at_once(call):
    page = await made(call)
    for number in (2, 3):
        await call("confluence_get_page", page_id=page["id"])
        await call("confluence_get_page", title="New page", space_key="DOCS")
        await call("confluence_update_page", page_id=page["id"], content=f"Text {number}")
        for where in ({"page_id": page["id"]}, {"title": "New page", "space_key": "DOCS"}):
            got = await call("confluence_get_page", **where)
            assert (got["version"], got["content"]) == (number, f"Text {number}")


async def test_a_section_is_changed_and_the_rest_stays_as_it_is(call, confluence):
    page = await made(call)
    before = confluence.pages[page["id"]]["body"]
    got = await call(
        "confluence_update_page_section", page_id=page["id"], heading="## returns", content="Never."
    )
    assert got["version"] == 2
    assert confluence.pages[page["id"]]["body"] == before.replace("<p>Within 14 days.</p>", "<p>Never.</p>")
    wrong = await call("confluence_update_page_section", page_id=page["id"], heading="Refunds", content="x")
    assert (wrong["code"], "'Returns'" in wrong["hint"]) == ("no_heading", True)
    await call(
        "confluence_append_to_page", page_id=page["id"], content="## Returns\n\nAgain.", message="More"
    )
    assert confluence.pages[page["id"]]["versions"][-1]["message"] == "More"
    twice = await call("confluence_update_page_section", page_id=page["id"], heading="Returns", content="x")
    assert twice["code"] == "ambiguous_heading"


async def test_what_markdown_does_not_hold_is_said_before_and_after_it_is_lost(call, confluence, pages):
    page = pages("How orders work")
    body = '<h2>Orders</h2><p>a</p><h2>States</h2><table><tr><td colspan="2"><u>b</u></td></tr></table>'
    page["body"] = page["versions"][-1]["body"] = body
    got = await call("confluence_get_page", page_id=page["id"], fields=["content"])
    assert got["not_in_markdown"] == ["merged cells", "underlining"]
    assert "not_in_markdown" not in await call("confluence_get_page", page_id=page["id"], raw=True)
    kept = await call("confluence_update_page_section", page_id=page["id"], heading="Orders", content="c")
    assert "not_in_markdown" not in kept
    assert "not_in_markdown" not in await call("confluence_update_page", page_id=page["id"], title="Renamed")
    assert '<td colspan="2"><u>b</u></td>' in page["body"]
    told = await call("confluence_update_page", page_id=page["id"], content=got["content"])
    assert told["not_in_markdown"] == "Version 3 had, and this one has not: merged cells, underlining."
    assert "not_in_markdown" not in await call("confluence_get_page", page_id=page["id"])


async def test_what_is_appended_to_a_layout_is_put_into_its_last_cell(call, confluence, pages):
    page = pages("How orders work")
    page["body"] = page["versions"][-1]["body"] = (
        "<ac:layout><ac:layout-section><ac:layout-cell><p>a</p></ac:layout-cell></ac:layout-section></ac:layout>"
    )
    await call("confluence_append_to_page", page_id=page["id"], content="b")
    assert page["body"].endswith("<p>a</p><p>b</p></ac:layout-cell></ac:layout-section></ac:layout>")


async def test_a_race_of_two_writers_ends_in_a_conflict_and_loses_nothing(call, confluence):
    page = await made(call)
    results = await asyncio.gather(
        *(
            call("confluence_append_to_page", page_id=page["id"], content=f"Line {number}")
            for number in range(6)
        )
    )
    stored = [one for one in results if "version" in one]
    lost = [one for one in results if one.get("type") == "conflict"]
    assert len(stored) + len(lost) == 6
    assert stored
    assert all(one["code"] == "version_conflict" and page["id"] in one["hint"] for one in lost)
    row = confluence.pages[page["id"]]
    assert row["body"].count("<p>Line") == len(stored) == len(row["versions"]) - 1
    stale = await call("confluence_update_page", page_id=page["id"], content="x", version=1)
    assert (stale["type"], stale["retryable"]) == ("conflict", False)
    assert row["body"].count("<p>Line") == len(stored)


async def test_a_taken_title_and_a_missing_page_are_told_with_the_next_step(call, confluence):
    await made(call)
    again = await call("confluence_create_page", title="New page", content="x", space_key="DOCS")
    assert (again["code"], "confluence_update_page" in again["hint"]) == ("title_taken", True)
    gone = await call("confluence_get_page", page_id="999999")
    assert (gone["type"], "confluence_search" in gone["hint"]) == ("not_found", True)
    none = await call("confluence_get_page", title="Nothing", space_key="DOCS")
    assert none["code"] == "no_page"
    assert (await call("confluence_get_page"))["type"] == "validation"
    assert (await call("confluence_get_page", url="https://evil.example/wiki/pages/1"))[
        "code"
    ] == "other_site"
    for url in (
        "https://[wiki/pages/1",
        "http://",
        f"{confluence.url}/wiki/pages/١٢",
        f"{confluence.url}/?title=a",
    ):
        got = await call("confluence_get_page", url=url)
        assert (got["type"], got["error"] != "") == ("validation", True), url
    assert (await call("confluence_create_page", title="x", content="x"))["type"] == "validation"


async def test_a_parent_is_in_the_same_space_and_drafts_stay_drafts(call, pages, confluence):
    child = await made(call, parent_id=pages("How orders work")["id"])
    assert child["parent_id"] == pages("How orders work")["id"]
    wrong = await call(
        "confluence_create_page", title="x", content="", space_key="DOCS", parent_id=pages("Team home")["id"]
    )
    assert "TEAM" in wrong["error"]
    draft = await made(call, title="Draft", draft=True)
    assert draft["status"] == "draft"


async def test_a_limit_is_waited_for_and_a_lost_answer_is_not_made_good_by_a_second_page(
    call, confluence, pages
):
    confluence.faults.add(TooMany(0))
    assert (await call("confluence_get_page", page_id=pages("Team home")["id"]))["title"] == "Team home"
    confluence.faults.add(Reset(after=True), path="createPage")
    lost = await call("confluence_create_page", title="Once", content="x", space_key="DOCS")
    assert (lost["type"], lost["retryable"], "confluence_get_page" in lost["hint"]) == (
        "connection",
        False,
        True,
    )
    assert [row["title"] for row in confluence.pages.values()].count("Once") == 1
    confluence.faults.add(Status(403, "You may not"), path="updatePage")
    error = await call("confluence_update_page", page_id=pages("Team home")["id"], title="x")
    assert error["type"] == "permission"


@pytest.mark.parametrize("tool", ["search-confluence", "get-confluence-page", "ask-confluence-page"])
async def test_former_names_still_work(call, pages, tool):
    arguments = {"query": "orders"} if "search" in tool else {"page_id": pages("How orders work")["id"]}
    if "ask" in tool:
        arguments["question"] = "order"
    assert "error" not in await call(tool, **arguments)


async def test_results_are_marked_as_other_peoples_words_and_hidden_characters_are_gone(call, confluence):
    page = await made(call, content="Pay\u200b \u202enow\U000e0041")
    got = await call.raw("confluence_get_page", page_id=page["id"])
    assert got["_meta"]["trust"] == "untrusted"
    assert got["structuredContent"]["content"] == "Pay now"


async def test_a_section_is_named_as_it_is_read_whatever_its_heading_holds(call, confluence, pages):
    page = pages("How orders work")
    anchor = '<ac:structured-macro ac:name="anchor"><ac:parameter ac:name="">top</ac:parameter></ac:structured-macro>'
    status = anchor.replace("anchor", "status").replace('""', '"title"').replace("top", "Done")
    for heading, said in (
        (f"{anchor}Orders", ["Orders"]),
        (f"Orders {status}", ["Orders", "Orders {status:Done}"]),
        ("<code>2_a</code> <strong>Orders</strong>", ["2_a Orders", "## `2_a` **Orders**"]),
        ("Or\u200bders&nbsp;*", ["Orders *", "Orders \\*"]),
    ):
        for name in said:
            page["body"] = page["versions"][-1]["body"] = f"<h2>{heading}</h2><p>a</p>"
            got = await call("confluence_update_page_section", page_id=page["id"], heading=name, content="b")
            assert "version" in got, (name, got)
            assert page["body"] == f"<h2>{heading}</h2><p>b</p>"


async def test_a_page_that_came_without_its_words_is_not_written_back_as_nothing(
    call, confluence, pages, monkeypatch
):
    page = pages("How orders work")
    shown = type(confluence).told_page
    monkeypatch.setattr(type(confluence), "told_page", lambda *given: {**shown(*given), "body": {}})
    for tool, arguments in (
        ("confluence_update_page", {"title": "x"}),
        ("confluence_append_to_page", {"content": "x"}),
        ("confluence_update_page_section", {"heading": "Orders", "content": "x"}),
    ):
        assert (await call(tool, page_id=page["id"], **arguments))["code"] == "no_body"
    assert page["versions"][-1]["number"] == 1
