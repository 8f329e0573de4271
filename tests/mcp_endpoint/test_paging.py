from common.db import in_db
from common.paging import BadCursor, cursor, page, position
from tests.factories import make_key
from tests.mcp_endpoint.speak import Place, by_door, legacy, modern

LISTS = [
    ("tools/list", "tools", "name"),
    ("resources/list", "resources", "uri"),
    ("prompts/list", "prompts", "name"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate"),
]


async def test_every_list_comes_in_pages_that_add_up(place, settings):
    for method, name, key in LISTS:
        settings.PORTICO_PAGE_SIZE = 500
        whole = [row[key] for row in (await by_door(modern(place, method))).result[name]]
        settings.PORTICO_PAGE_SIZE = 1 if len(whole) < 6 else 3
        for speak in (modern, legacy):
            for _ in range(2):  # made, then from the kept bytes
                rows, params = [], {}
                while True:
                    result = (await by_door(speak(place, method, params))).result
                    assert len(result[name]) <= settings.PORTICO_PAGE_SIZE
                    rows += [row[key] for row in result[name]]
                    if "nextCursor" not in result:
                        break
                    params = {"cursor": result["nextCursor"]}
                assert rows == whole, method


async def test_a_cursor_of_another_tenant_principal_or_list_is_refused(place, other_place, settings):
    settings.PORTICO_PAGE_SIZE = 3
    token = (await by_door(modern(place, "tools/list"))).result["nextCursor"]
    _, secret = await in_db(make_key, place.tenant)
    neighbour = Place(place.tenant, secret, None)
    assert (await by_door(modern(place, "tools/list", {"cursor": token}))).status == 200
    for who, method in ((other_place, "tools/list"), (neighbour, "tools/list"), (place, "resources/list")):
        answer = await by_door(modern(who, method, {"cursor": token}))
        assert (answer.status, answer.error["code"]) == (400, -32602)
        assert "Invalid cursor" in answer.error["message"]
    answer = await by_door(legacy(place, "tools/list", {"cursor": "made up"}))
    assert (answer.status, answer.error["code"]) == (200, -32602)


def test_a_changed_list_goes_on_behind_the_last_item():
    rows = list("abcdef")
    part, after = page(rows, (0, ""), size=3, key=str)
    assert (part, after) == (["a", "b", "c"], (3, "c"))
    assert page(["_", *rows], after, size=9, key=str)[0] == ["d", "e", "f"]
    assert page([r for r in rows if r != "a"], after, size=9, key=str)[0] == ["d", "e", "f"]
    assert page([r for r in rows if r != "c"], after, size=9, key=str)[0] == ["e", "f"]
    assert page([], after, size=9, key=str) == ([], None)


def test_a_cursor_is_bound():
    token = cursor((3, "c"), purpose="p", bind="me")
    assert position(token, purpose="p", bind="me") == (3, "c")
    for purpose, bind, text in (
        ("q", "me", token),
        ("p", "you", token),
        ("p", "me", token[:-1]),
        ("p", "me", ""),
    ):
        try:
            position(text, purpose=purpose, bind=bind)
        except BadCursor:
            continue
        raise AssertionError(text)
