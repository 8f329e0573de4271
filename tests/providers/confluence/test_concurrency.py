"""Many calls at once, and two writers of one page."""

import asyncio

import pytest

from tests.providers.confluence.conftest import BO


class Together:
    """Answers reads only when all of them are there: everybody has then read the same version."""

    kind = "together"

    def __init__(self, number):
        self.left, self.every = number, asyncio.Event()

    async def strike(self, blow):
        self.left -= 1
        if not self.left:
            self.every.set()
        async with asyncio.timeout(10):
            await self.every.wait()
        await blow.line.answer(blow.work())


WRITERS = {
    "whole": ("confluence_update_page", {"content": "Mine, {who}"}),
    "title": ("confluence_update_page", {"title": "Mine, {who}"}),
    "section": ("confluence_update_page_section", {"heading": "Orders", "content": "Mine, {who}"}),
    "end": ("confluence_append_to_page", {"content": "Mine, {who}"}),
}


@pytest.mark.parametrize("kind", sorted(WRITERS))
async def test_of_two_concurrent_updates_one_is_stored_and_one_told_of_the_conflict(
    call, confluence, pages, kind
):
    page, (tool, said) = pages("How orders work"), WRITERS[kind]
    confluence.faults.add(Together(2), times=2, path="getPageById")
    results = await asyncio.gather(
        *(
            call(tool, page_id=page["id"], **{name: text.format(who=who) for name, text in said.items()})
            for who in "ab"
        )
    )
    (stored,) = [one for one in results if "version" in one]
    (lost,) = [one for one in results if "version" not in one]
    assert (lost["type"], lost["code"], lost["retryable"]) == ("conflict", "version_conflict", False)
    assert "nothing was stored" in lost["error"]
    assert "confluence_get_page" in lost["hint"]
    assert stored["version"] == 2 == len(page["versions"])
    winner = "a" if "version" in results[0] else "b"
    told = page["title"] + page["body"]
    assert f"Mine, {winner}" in told
    assert told.count("Mine") == 1


async def test_a_writer_with_the_version_it_read_never_overwrites_a_newer_one(call, confluence, pages):
    page = pages("How orders work")
    read = await call("confluence_get_page", page_id=page["id"])
    await call("confluence_update_page", page_id=page["id"], content="Somebody else's")
    before = len(confluence.operations)
    late = await call("confluence_update_page", page_id=page["id"], content="Mine", version=read["version"])
    assert late["code"] == "version_conflict"
    assert not [hit for hit in confluence.operations[before:] if hit.method == "PUT"]
    assert "Somebody else" in page["body"]


async def test_fifty_calls_at_once_all_succeed(desk, confluence, pages):
    ada, bo = await desk(), await desk({**BO, "method": "bearer"})
    orders, home = pages("How orders work")["id"], pages("Documentation home")["id"]
    reads = [
        ("confluence_get_page", {"page_id": orders}),
        ("confluence_search", {"query": "orders"}),
        ("confluence_list_pages", {"space_key": "DOCS"}),
        ("confluence_get_children", {"page_id": home}),
        ("confluence_list_spaces", {}),
    ]
    calls = [(ada, *reads[number % 5]) for number in range(20)] + [
        (bo, *reads[number % 5]) for number in range(20)
    ]
    calls += [
        (ada, "confluence_add_comment", {"page_id": orders, "comment": f"Line {number}"})
        for number in range(5)
    ]
    calls += [
        (ada, "confluence_create_page", {"title": f"Page {number}", "content": "x", "space_key": "DOCS"})
        for number in range(5)
    ]
    results = await asyncio.gather(*(who(tool, **arguments) for who, tool, arguments in calls))
    assert [one for one in results if "error" in one] == []
    assert len(results) == 50
    assert len(pages("How orders work")["comments"]) == 5
    assert {row["title"] for row in confluence.pages.values()} >= {f"Page {number}" for number in range(5)}


async def test_fifty_calls_at_once_to_a_data_center_all_succeed(there, server):
    page = next(row for row in server.pages.values() if row["title"] == "How orders work")
    calls = [
        there("confluence_get_page_version", page_id=page["id"], version=1, max_chars=500 + n)
        for n in range(40)
    ]
    calls += [
        there("confluence_add_comment", page_id=page["id"], comment=f"Line {number}") for number in range(10)
    ]
    results = await asyncio.gather(*calls)
    assert [one for one in results if "error" in one] == []
    assert len(page["comments"]) == 10


async def test_what_is_read_after_a_conflict_is_the_page_as_it_is_now(call, confluence, pages):
    page = pages("How orders work")
    read = await call("confluence_get_page", page_id=page["id"])  # kept from now on
    page["versions"].append({**page["versions"][0], "number": 2, "body": "<p>Somebody else's</p>"})
    stale = await call("confluence_update_page", page_id=page["id"], content="x", version=read["version"])
    assert (stale["code"], "has version 2" in stale["error"]) == ("version_conflict", True)
    again = await call("confluence_get_page", page_id=page["id"])
    assert (again["version"], again["content"]) == (2, "Somebody else's")
