"""What stands around pages: the tree, labels, versions, files, moves, copies, deletions."""

import json

from connectors.providers.confluence import history_tools


async def made(call, title, content="x", **more):
    return (await call("confluence_create_page", title=title, content=content, space_key="DOCS", **more))[
        "id"
    ]


async def test_the_tree_is_walked_down_and_up(call, pages):
    home, orders = pages("Documentation home")["id"], pages("How orders work")["id"]
    child = await made(call, "Child", parent_id=orders)
    listed = await call("confluence_list_pages", space_key="DOCS", limit=2)
    assert listed["items"][0]["id"] == child
    assert listed["next_cursor"]
    top = await call("confluence_list_pages", space_key="DOCS", top_level=True)
    assert [row["id"] for row in top["items"]] == [home]
    children = await call("confluence_get_children", page_id=orders)
    assert [(row["id"], row["title"]) for row in children["items"]] == [(child, "Child")]
    above = await call("confluence_get_ancestors", page_id=child)
    assert [row["title"] for row in above["items"]] == ["Documentation home", "How orders work"]
    near = await call("confluence_get_ancestors", page_id=child, limit=1)
    further = await call("confluence_get_ancestors", page_id=child, limit=1, cursor=near["next_cursor"])
    assert [row["id"] for row in near["items"] + further["items"]] == [orders, home]
    last = await call("confluence_get_ancestors", page_id=child, limit=1, cursor=further["next_cursor"])
    assert (last["items"], last["next_cursor"]) == ([], None)
    tree = await call("confluence_get_page_tree", space_key="DOCS")
    assert [(row["title"], row["depth"]) for row in tree["items"]] == [("How orders work", 1), ("Child", 2)]
    assert (await call("confluence_get_page_tree", page_id=home, depth=1))["count"] == 1


async def test_a_new_page_is_seen_in_lists_that_were_kept(call, pages):
    orders = pages("How orders work")["id"]
    assert (await call("confluence_get_children", page_id=orders))["items"] == []
    await made(call, "Child", parent_id=orders)
    assert (await call("confluence_get_children", page_id=orders))["count"] == 1


async def test_labels_are_added_read_found_and_removed(call, pages):
    page = pages("How orders work")["id"]
    for _ in range(2):
        got = await call("confluence_add_labels", page_id=page, labels=["HowTo", "orders"])
    assert got["labels"] == ["howto", "orders"]
    assert [row["name"] for row in (await call("confluence_get_labels", page_id=page))["items"]] == [
        "howto",
        "orders",
    ]
    assert (await call("confluence_search", query='label = "howto"'))["count"] == 1
    assert (await call("confluence_remove_label", page_id=page, label="howto"))["removed"]
    assert (await call("confluence_remove_label", page_id=page, label="howto"))["type"] == "not_found"
    assert (await call("confluence_add_labels", page_id=page, labels=["two words"]))["type"] == "validation"


async def test_versions_are_listed_read_and_compared(call):
    page = await made(call, "Versions", "# A\n\nfirst\n\nsame")
    await call("confluence_update_page", page_id=page, content="# A\n\nsecond\n\nsame", message="Better")
    history = await call("confluence_get_page_history", page_id=page)
    assert [(row["version"], row.get("message")) for row in history["items"]] == [(2, "Better"), (1, None)]
    former = await call("confluence_get_page_version", page_id=page, version=1)
    assert former["content"] == "# A\n\nfirst\n\nsame"
    diff = await call("confluence_diff_versions", page_id=page, from_version=1)
    assert diff["to_version"] == 2
    assert {"-first", "+second"} <= set(diff["diff"].splitlines())
    assert "-same" not in diff["diff"].splitlines()
    assert (await call("confluence_get_page_version", page_id=page, version=9))["type"] == "not_found"


async def test_files_come_in_the_answer_or_as_a_link(call, confluence, pages):
    page = pages("How orders work")
    text = confluence.attach(page, "notes.txt", b"Buy milk", "text/plain")
    blob = confluence.attach(page, "../data.bin", b"\x00" * 2000, "application/octet-stream")
    listed = await call("confluence_list_attachments", page_id=page["id"])
    assert [(row["name"], row["size"]) for row in listed["items"]] == [
        ("notes.txt", 8),
        ("../data.bin", 2000),
    ]
    assert (await call("confluence_list_attachments", page_id=page["id"], filename="notes.txt"))["count"] == 1
    got = await call("confluence_get_attachment", page_id=page["id"], attachment_id=text["id"])
    assert got["text"] == "Buy milk"
    named = await call("confluence_get_attachment", page_id=page["id"], filename="notes.txt")
    assert (named["text"], named["id"]) == ("Buy milk", got["id"])
    for wrong, kind in (({"filename": "other.txt"}, "not_found"), ({}, "validation")):
        assert (await call("confluence_get_attachment", page_id=page["id"], **wrong))["type"] == kind
    linked = await call.raw("confluence_get_attachment", page_id=page["id"], attachment_id=blob["id"])
    assert (linked["structuredContent"]["name"], linked["structuredContent"]["size"]) == ("data.bin", 2000)
    assert linked["content"][0]["type"] == "resource_link"
    other = pages("Team home")["id"]
    wrong = await call("confluence_get_attachment", page_id=other, attachment_id=text["id"])
    assert wrong["type"] == "not_found"


async def test_pages_are_moved_copied_and_deleted(call, confluence, pages):
    home, orders = pages("Documentation home")["id"], pages("How orders work")["id"]
    page = await made(call, "Wanderer")
    await call("confluence_add_labels", page_id=page, labels=["kept"])
    assert (await call("confluence_move_page", page_id=page, target_id=orders))["parent_id"] == orders
    beside = await call("confluence_move_page", page_id=page, target_id=orders, position="after")
    assert beside["parent_id"] == home
    assert (await call("confluence_move_page", page_id=page, target_id=page))["type"] == "validation"
    copy = await call("confluence_copy_page", page_id=page, parent_id=orders, title="Copy")
    assert confluence.pages[copy["id"]]["labels"] == ["kept"]
    other = await call(
        "confluence_copy_page", page_id=page, space_key="TEAM", title="Copy there", labels=False
    )
    assert (other["space"], confluence.pages[other["id"]]["parent"]) == ("TEAM", None)
    assert (await call("confluence_copy_page", page_id=page, title="Nowhere"))["type"] == "validation"
    assert (await call("confluence_delete_page", page_id=page))["deleted"]
    assert confluence.pages[page]["status"] == "trashed"
    assert (await call("confluence_get_page", page_id=page))["type"] == "not_found"
    assert (await call("confluence_delete_page", page_id=copy["id"], purge=True))["purged"]
    assert copy["id"] not in confluence.pages


async def test_the_connection_says_who_it_is(desk):
    call = await desk(spaces=["DOCS"])
    got = await call("confluence_connection_info")
    assert (got["account"]["name"], got["way"], got["only_spaces"]) == ("Ada Lovelace", "site", ["DOCS"])
    assert got["quota"]["remaining"] > 0


async def test_none_of_it_reaches_a_space_that_is_not_allowed(fenced, confluence, pages):
    team, mine = pages("Team home"), pages("How orders work")["id"]
    file = confluence.attach(team, "secret.txt", b"The plan", "text/plain")
    for tool, arguments in (
        ("confluence_list_pages", {"space_key": "TEAM"}),
        ("confluence_get_children", {"page_id": team["id"]}),
        ("confluence_get_ancestors", {"page_id": team["id"]}),
        ("confluence_get_page_tree", {"space_key": "TEAM"}),
        ("confluence_get_page_tree", {"page_id": team["id"]}),
        ("confluence_get_labels", {"page_id": team["id"]}),
        ("confluence_add_labels", {"page_id": team["id"], "labels": ["x"]}),
        ("confluence_remove_label", {"page_id": team["id"], "label": "x"}),
        ("confluence_get_page_history", {"page_id": team["id"]}),
        ("confluence_get_page_version", {"page_id": team["id"], "version": 1}),
        ("confluence_diff_versions", {"page_id": team["id"], "from_version": 1}),
        ("confluence_list_attachments", {"page_id": team["id"]}),
        ("confluence_get_attachment", {"page_id": team["id"], "attachment_id": file["id"]}),
        ("confluence_get_attachment", {"page_id": mine, "attachment_id": file["id"]}),
        ("confluence_delete_page", {"page_id": team["id"]}),
        ("confluence_move_page", {"page_id": team["id"], "target_id": mine}),
        ("confluence_move_page", {"page_id": mine, "target_id": team["id"]}),
        ("confluence_copy_page", {"page_id": team["id"], "parent_id": mine, "title": "x"}),
        ("confluence_copy_page", {"page_id": mine, "parent_id": team["id"], "title": "x"}),
        ("confluence_copy_page", {"page_id": mine, "space_key": "TEAM", "title": "x"}),
    ):
        got = await fenced(tool, **arguments)
        assert got["type"] in ("permission", "not_found"), (tool, got)
        assert "The plan" not in json.dumps(got)
    assert not [hit for hit in confluence.operations if hit.method != "GET"]


FIELDS = {
    "confluence_search": ({"query": "orders"}, "title"),
    "confluence_list_spaces": ({}, "name"),
    "confluence_get_space": ({"space_key": "DOCS"}, "name"),
    "confluence_list_pages": ({"space_key": "DOCS"}, "title"),
    "confluence_get_page_tree": ({"space_key": "DOCS"}, "title"),
    "confluence_get_children": ({"page_id": "{home}"}, "title"),
    "confluence_get_ancestors": ({"page_id": "{orders}"}, "title"),
    "confluence_get_comments": ({"page_id": "{orders}"}, "text"),
    "confluence_get_page_history": ({"page_id": "{orders}"}, "at"),
    "confluence_list_attachments": ({"page_id": "{orders}"}, "name"),
    "confluence_list_tasks": ({}, "text"),
    "confluence_list_blogposts": ({"space_key": "DOCS"}, "title"),
    "confluence_get_page": ({"page_id": "{orders}"}, "version"),
}


async def test_a_caller_may_name_the_fields_that_it_wants(call, confluence, pages):
    page = pages("How orders work")
    confluence.make_comment(page, "<p>Why?</p>")
    confluence.attach(page, "notes.txt", b"x", "text/plain")
    confluence.make_task(page, "Do it", "me")
    await call("confluence_create_blogpost", title="News", content="x", space_key="DOCS")
    ids = {"home": pages("Documentation home")["id"], "orders": page["id"]}
    for tool, (arguments, field) in FIELDS.items():
        asked = {name: value.format(**ids) for name, value in arguments.items()}
        got = await call(tool, **asked, fields=[field])
        for row in got.get("items", [got]):
            assert field in row, tool
            assert set(row) <= {field, "id", "key", "url"}, tool
        assert got.get("items", [got])
        wrong = await call(tool, **asked, fields=["colour"])
        assert (wrong["code"], bool(wrong["hint"])) == ("unknown_field", True), tool


async def test_a_page_without_its_words_is_not_asked_for_them(call, confluence, pages):
    page = pages("How orders work")["id"]
    assert "content" not in await call("confluence_get_page", page_id=page, fields=["version"])
    assert "body-format" not in confluence.requests[-1].query
    got = await call("confluence_get_page", page_id=page, fields=["content"], include_history=True)
    assert set(got) == {"id", "url", "content", "history"}


async def test_labels_and_versions_are_paged_to_the_last(call, pages):
    page = pages("How orders work")
    page["labels"] = [f"label-{number}" for number in range(7)]
    names, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        got = await call("confluence_get_labels", page_id=page["id"], limit=3, **more)
        names += [row["name"] for row in got["items"]]
        if not (cursor := got["next_cursor"]):
            break
    assert names == page["labels"]


async def test_equal_versions_and_such_as_are_too_long_are_said_to_be_so(call, pages, monkeypatch):
    page = pages("How orders work")
    first = page["versions"][0]
    first["body"] = page["body"] = "<p>a</p><p>b</p><p>c</p>"
    page["versions"].append({**first, "number": 2, "body": '<p local-id="1">a</p><p>b</p><p>c</p>'})
    same = await call("confluence_diff_versions", page_id=page["id"], from_version=1)
    assert (same["diff"], "raw" in same["hint"]) == ("", True)
    monkeypatch.setattr(history_tools, "MAX_LINES", 2)
    page["versions"].append({**first, "number": 3, "body": "<p>a</p><p>b</p><p>d</p>"})
    cut = await call("confluence_diff_versions", page_id=page["id"], from_version=1, to_version=3)
    assert (cut["diff"], cut["truncated"]) == ("", "Compared are the first 2 lines.")
