"""People, tasks, blog posts, uploads, prompts and resources."""

import base64

from tests.doubles.atlassian import ADA, BO
from tests.mcp_endpoint.speak import by_door, modern


def page_uri(desk):
    """The address of a page without its id."""
    return f"confluence://{desk.connection.slug}/page/"


async def completed(desk, ref, name, value):
    """What is offered for an argument."""
    asked = {"ref": ref, "argument": {"name": name, "value": value}}
    return (await by_door(modern(desk.place, "completion/complete", asked))).result["completion"]["values"]


async def test_people_are_found_by_name(call):
    got = await call("confluence_search_users", query="lovelace")
    assert [(row["id"], row["name"]) for row in got["items"]] == [(ADA, "Ada Lovelace")]
    assert (await call("confluence_search_users", query='x" OR user = "y'))["items"] == []


async def test_tasks_are_listed_by_page_person_and_state(call, confluence, pages):
    page, team = pages("How orders work"), pages("Team home")
    confluence.make_task(page, "<p>Check <strong>lines</strong></p>", ADA)
    confluence.make_task(page, "Done", BO, "complete")
    confluence.make_task(team, "Secret", ADA)
    got = await call("confluence_list_tasks", page_id=page["id"])
    assert [(row["text"], row["status"]) for row in got["items"]] == [
        ("Check **lines**", "incomplete"),
        ("Done", "complete"),
    ]
    mine = await call("confluence_list_tasks", assigned_to="me", status="incomplete")
    assert [row["text"] for row in mine["items"]] == ["Check **lines**", "Secret"]


async def test_blog_posts_are_written_and_listed(call):
    post = await call("confluence_create_blogpost", title="News", content="We *ship*.", space_key="DOCS")
    got = await call("confluence_list_blogposts", space_key="DOCS")
    assert [(row["id"], row["title"]) for row in got["items"]] == [(post["id"], "News")]
    assert (await call("confluence_list_blogposts", space_key="TEAM"))["items"] == []


async def test_a_file_is_uploaded_and_uploaded_again(call, confluence, pages):
    page = pages("How orders work")
    for version, words in ((1, b"first\r\n--x"), (2, b"second")):
        got = await call(
            "confluence_upload_attachment", page_id=page["id"], filename='../a "b".txt', comment="c",
            content_base64=base64.b64encode(words).decode(),
        )  # fmt: skip
        assert (got["version"], got["size"]) == (version, len(words))
        assert [row["data"] for row in page["files"].values()] == [words]
    read = await call("confluence_get_attachment", page_id=page["id"], attachment_id=got["id"])
    assert read["text"] == "second"
    plain = await call("confluence_upload_attachment", page_id=page["id"], filename="plain.txt", text="third")
    assert (plain["size"], page["files"][plain["id"]]["data"]) == (5, b"third")
    none = await call("confluence_upload_attachment", page_id=page["id"], filename="none.txt")
    assert (none["type"], none["code"]) == ("validation", "one_content")


async def test_what_is_not_allowed_stays_out_of_these_too(fenced, confluence, pages):
    team = pages("Team home")
    confluence.make_task(team, "Secret", ADA)
    assert (await fenced("confluence_list_tasks"))["items"] == []
    for tool, arguments in (
        ("confluence_list_tasks", {"page_id": team["id"]}),
        ("confluence_list_blogposts", {"space_key": "TEAM"}),
        ("confluence_create_blogpost", {"space_key": "TEAM", "title": "x", "content": "x"}),
        (
            "confluence_upload_attachment",
            {"page_id": team["id"], "filename": "x.txt", "text": "x"},
        ),
    ):
        assert (await fenced(tool, **arguments))["type"] == "permission"
    refused = await by_door(
        modern(fenced.place, "resources/read", {"uri": f"{page_uri(fenced)}{team['id']}"})
    )
    assert "error" in refused.json


async def test_a_page_is_a_resource_in_markdown(call, pages):
    uri = f"{page_uri(call)}{pages('How orders work')['id']}"
    got = (await by_door(modern(call.place, "resources/read", {"uri": uri}))).result["contents"][0]
    assert (got["mimeType"], got["text"]) == (
        "text/markdown", "# How orders work\n\n## Orders\n\nAn order has lines."
    )  # fmt: skip
    for wrong in (
        f"{page_uri(call)}1x",
        f"{page_uri(call)}%2e%2e",
        uri.replace(call.connection.slug, "other"),
    ):
        assert "error" in (await by_door(modern(call.place, "resources/read", {"uri": wrong}))).json


async def test_prompts_say_which_tools_to_use_and_complete_space_keys(call):
    for name, arguments, word in (
        ("summarize-confluence-page", {"page": "65001"}, "confluence_get_page"),
        ("create-confluence-content", {"topic": "Orders", "space_key": "DOCS"}, "confluence_create_page"),
        ("answer-confluence-question", {"question": "How?"}, "confluence_ask_page"),
    ):
        got = (
            await by_door(modern(call.place, "prompts/get", {"name": name, "arguments": arguments}))
        ).result
        assert word in got["messages"][0]["content"]["text"]
    ref = {"type": "ref/prompt", "name": "create-confluence-content"}
    assert await completed(call, ref, "space_key", "d") == ["DOCS"]


async def test_ids_of_pages_are_completed_from_titles_within_the_allowed_spaces(desk, pages):
    call, fenced = await desk(), await desk(spaces=["DOCS"])
    orders, team = pages("How orders work")["id"], pages("Team home")["id"]
    template = {"type": "ref/resource", "uri": "confluence://{connection}/page/{id}"}
    assert await completed(call, template, "connection", "") == [call.connection.slug]
    assert await completed(call, template, "id", "orders") == [orders]
    assert set(await completed(call, template, "id", "65")) >= {orders, team}
    assert await completed(call, template, "id", team) == [team]
    prompt = {"type": "ref/prompt", "name": "summarize-confluence-page"}
    assert await completed(call, prompt, "page", "home")
    for typed in ("", "home", team, '" OR space = "TEAM'):
        assert team not in await completed(fenced, prompt, "page", typed)
