"""Comments below a page, beside its words, and answers to them."""


async def test_comments_are_written_answered_and_listed(call, confluence, pages):
    page = pages("How orders work")
    first = await call("confluence_add_comment", page_id=page["id"], comment="Really?\n\n- a\n- b")
    answer = await call("confluence_add_comment", page_id=page["id"], comment="Yes.", reply_to=first["id"])
    assert answer["reply_to"] == first["id"]
    got = await call("confluence_get_comments", page_id=page["id"])
    assert [(one["text"], one["author"]) for one in got["items"]] == [
        ("Really?\n\n- a\n- b", first["author"])
    ]
    replies = await call("confluence_get_comments", page_id=page["id"], replies_to=first["id"])
    assert [one["text"] for one in replies["items"]] == ["Yes."]


async def test_inline_comments_say_what_they_are_about(call, confluence, pages):
    page = pages("How orders work")
    confluence.make_comment(page, "<p>Which lines?</p>", about="lines")
    got = await call("confluence_get_comments", page_id=page["id"], kind="inline")
    assert [(one["text"], one["about"], one["state"]) for one in got["items"]] == [
        ("Which lines?", "lines", "open")
    ]
    assert (await call("confluence_get_comments", page_id=page["id"]))["items"] == []


async def test_answers_to_an_inline_comment_are_listed(call, confluence, pages):
    page = pages("How orders work")
    first = confluence.make_comment(page, "<p>Which lines?</p>", about="lines")
    confluence.make_comment(page, "<p>Both.</p>", above=first["id"], about="lines")
    got = await call("confluence_get_comments", page_id=page["id"], kind="inline", replies_to=first["id"])
    assert [(one["text"], one["reply_to"]) for one in got["items"]] == [("Both.", first["id"])]


async def test_a_comment_of_another_page_is_not_answered_under_this_ones_name(call, confluence, pages):
    other = confluence.make_comment(pages("Team home"), "<p>secret</p>")
    page = pages("How orders work")["id"]
    for tool, arguments in (
        ("confluence_add_comment", {"comment": "x", "reply_to": other["id"]}),
        ("confluence_get_comments", {"replies_to": other["id"]}),
    ):
        error = await call(tool, page_id=page, **arguments)
        assert error["type"] == "validation"
    assert len(pages("Team home")["comments"]) == 1


async def test_an_inline_comment_is_answered_beside_the_words(call, confluence, pages):
    page = pages("How orders work")
    first = confluence.make_comment(page, "<p>Which lines?</p>", about="lines")
    got = await call("confluence_add_comment", page_id=page["id"], comment="Both.", reply_to=first["id"])
    assert got["reply_to"] == first["id"]
    assert [(one["kind"], one["above"], one["body"]) for one in page["comments"]] == [
        ("inline", None, "<p>Which lines?</p>"),
        ("inline", first["id"], "<p>Both.</p>"),
    ]
    none = await call("confluence_add_comment", page_id=page["id"], comment="x", reply_to="999999")
    assert (none["type"], "confluence_get_comments" in none["hint"]) == ("not_found", True)
    other = confluence.make_comment(pages("Team home"), "<p>secret</p>", about="us")
    wrong = await call("confluence_add_comment", page_id=page["id"], comment="x", reply_to=other["id"])
    assert (wrong["type"], len(pages("Team home")["comments"])) == ("validation", 1)
