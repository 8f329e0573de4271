"""The double of Confluence: what was written is read back, in Confluence's words."""

import pytest

V2 = "/wiki/api/v2"
V1 = "/wiki/rest/api"


def storage(value):
    return {"representation": "storage", "value": value}


async def space_of(writer, key="DOCS"):
    return (await writer.get(f"{V2}/spaces?keys={key}")).json()["results"][0]


async def made(writer, title, **more):
    body = {
        "spaceId": (await space_of(writer))["id"],
        "title": title,
        "body": storage("<p>Words</p>"),
        **more,
    }
    answer = await writer.post(f"{V2}/pages", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


async def test_a_page_is_made_read_changed_and_thrown_away(writer):
    id = await made(writer, "New page")
    page = (await writer.get(f"{V2}/pages/{id}?body-format=storage")).json()
    assert (page["title"], page["version"]["number"]) == ("New page", 1)
    assert page["body"]["storage"]["value"] == "<p>Words</p>"
    change = {
        "id": id,
        "status": "current",
        "title": "Newer",
        "body": storage("<p>More</p>"),
        "version": {"number": 2, "message": "m"},
    }
    assert (await writer.put(f"{V2}/pages/{id}", json=change)).status_code == 200
    stale = await writer.put(f"{V2}/pages/{id}", json=change)
    assert (stale.status_code, stale.json()["errors"][0]["code"]) == (409, "CONFLICT")
    assert [
        one["number"]
        for one in (await writer.get(f"{V2}/pages/{id}/versions?sort=-modified-date")).json()["results"]
    ] == [
        2,
        1,
    ]
    assert (await writer.get(f"{V2}/pages/{id}?version=1")).json()["title"] == "New page"
    assert [one["title"] for one in (await writer.get(f"{V2}/pages?title=Newer")).json()["results"]] == [
        "Newer"
    ]
    for query, status in (("", 204), ("", 404), ("?purge=true", 204), ("?purge=true", 404)):
        assert (await writer.delete(f"{V2}/pages/{id}{query}")).status_code == status


async def test_a_title_is_free_only_once_in_a_space(writer):
    await made(writer, "Twice")
    body = {"spaceId": (await space_of(writer))["id"], "title": "Twice", "body": storage("")}
    again = await writer.post(f"{V2}/pages", json=body)
    assert again.status_code == 400
    assert "already exists" in again.json()["errors"][0]["title"]
    other = {**body, "spaceId": (await space_of(writer, "TEAM"))["id"]}
    assert (await writer.post(f"{V2}/pages", json=other)).status_code == 200


async def test_pages_stand_in_a_tree(writer):
    space = await space_of(writer)
    parent = await made(writer, "Parent")
    child = await made(writer, "Child", parentId=parent)
    children = (await writer.get(f"{V2}/pages/{parent}/direct-children")).json()["results"]
    assert [one["id"] for one in children] == [child]
    above = (await writer.get(f"{V2}/pages/{child}/ancestors")).json()["results"]
    assert [one["id"] for one in above] == [space["homepageId"], parent]


async def test_lists_go_on_with_the_link_that_they_name(writer):
    for number in range(3):
        await made(writer, f"Page {number}")
    space = await space_of(writer)
    page = (await writer.get(f"{V2}/spaces/{space['id']}/pages?limit=2")).json()
    titles = [one["title"] for one in page["results"]]
    while following := page["_links"].get("next"):
        page = (await writer.get(following)).json()
        titles += [one["title"] for one in page["results"]]
    assert titles == ["Documentation home", "How orders work", "Page 0", "Page 1", "Page 2"]
    assert (await writer.get(f"{V2}/pages?cursor=nonsense")).status_code == 400


async def test_comments_and_labels_are_kept(writer):
    id = await made(writer, "Talked about")
    first = await writer.post(f"{V2}/footer-comments", json={"pageId": id, "body": storage("<p>One</p>")})
    reply = {"parentCommentId": first.json()["id"], "body": storage("<p>Two</p>")}
    assert (first.status_code, (await writer.post(f"{V2}/footer-comments", json=reply)).status_code) == (
        201,
        201,
    )
    for path, words in (
        (f"pages/{id}/footer-comments", "One"),
        (f"footer-comments/{first.json()['id']}/children", "Two"),
    ):
        comments = (await writer.get(f"{V2}/{path}?body-format=storage")).json()["results"]
        assert [one["body"]["storage"]["value"] for one in comments] == [f"<p>{words}</p>"]
    for _ in range(2):
        await writer.post(f"{V1}/content/{id}/label", json=[{"prefix": "global", "name": "howto"}])
    assert [one["name"] for one in (await writer.get(f"{V2}/pages/{id}/labels")).json()["results"]] == [
        "howto"
    ]
    assert (await writer.get(f"{V1}/search", params={"cql": "label = howto"})).json()["totalSize"] == 1
    for status in (204, 404):
        assert (await writer.delete(f"{V1}/content/{id}/label?name=howto")).status_code == status


@pytest.mark.parametrize(
    ("cql", "titles"),
    [
        ('type = page AND space = "DOCS" ORDER BY title', ["Documentation home", "How orders work"]),
        ("text ~ orders", ["How orders work"]),
        ("title ~ 'home' AND space in (TEAM, DOCS) order by title desc", ["Team home", "Documentation home"]),
        ("lastmodified < now('-1d')", None),
        ("creator = currentUser() AND created > -1h AND title = 'Team home'", ["Team home"]),
        ("colour = red", None),
    ],
)
async def test_search_understands_the_usual_queries(writer, cql, titles):
    answer = await writer.get(f"{V1}/search", params={"cql": cql})
    if titles is None:
        assert (answer.status_code, "Could not parse cql" in answer.json()["message"]) == (400, True)
    else:
        assert [one["title"] for one in answer.json()["results"]] == titles


async def test_a_token_that_reads_only_does_not_write(confluence, writer):
    scoped = f"/ex/confluence/{(await writer.get('/_edge/tenant_info')).json()['cloudId']}"
    bo = {"auth": ("bo@example.com", "sandbox-confluence-reader")}
    assert (await writer.get(f"{scoped}{V1}/user/current", **bo)).json()["publicName"] == "Bo Reader"
    assert (await writer.get(f"{scoped}{V2}/pages", **bo)).status_code == 200
    body = {"spaceId": (await space_of(writer))["id"], "title": "x"}
    assert (await writer.post(f"{scoped}{V2}/pages", json=body, **bo)).status_code == 401
    assert len(confluence.pages) == 3
