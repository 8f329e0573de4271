"""Files as resources, and what a client offers for each part of their addresses."""

from connectors.providers.github import file_resources
from tests.mcp_endpoint.speak import by_door, modern
from tests.providers.github.conftest import REPO

URI = "github://{owner}/{repo}/contents/{+path}"


async def offered(desk, name, value, **chosen):
    asked = {
        "ref": {"type": "ref/resource", "uri": URI},
        "argument": {"name": name, "value": value},
        "context": {"arguments": chosen},
    }
    answer = (await by_door(modern(desk.place, "completion/complete", asked))).json
    return answer["result"]["completion"]["values"] if "result" in answer else answer["error"]["message"]


async def test_a_file_is_read_with_its_slashes_as_they_are_or_quoted(desk):
    listed = (await by_door(modern(desk.place, "resources/templates/list", {}))).result
    assert [row["uriTemplate"] for row in listed["resourceTemplates"]] == [URI]
    for path in ("src/main.py", "src%2Fmain.py"):
        file = await desk.read(f"github://octo/hello-world/contents/{path}")
        assert (file["text"], file["_meta"]["trust"]) == ("print('hello')\n", "untrusted")
        assert file["uri"] == "github://octo/hello-world/contents/src/main.py"


async def test_a_folder_is_no_file_and_its_addresses_with_tokens_stay_with_github(desk, github, monkeypatch):
    told = type(github)._file

    def with_token(self, request, path, sha, *, content):
        row = told(self, request, path, sha, content=content)
        return {**row, "download_url": f"{row['download_url']}?token=SECRET"}

    monkeypatch.setattr(type(github), "_file", with_token)
    said = await desk.read("github://octo/secrets.io/contents/src")
    assert "SECRET" not in str(said)
    assert "no file" in said["message"]


async def test_a_long_file_says_that_it_is_cut(desk, github, monkeypatch):
    monkeypatch.setattr(file_resources, "MAX_SHOWN", 5)
    file = await desk.read("github://octo/hello-world/contents/README.md")
    assert (file["text"], file["_meta"]["truncated"]) == ("# Hel", {"shown": 5, "total": 14})


async def test_no_address_of_a_file_leads_out_of_the_allow_list(open_desk, github):
    desk = await open_desk(repositories=[REPO])
    assert (await desk.read("github://octo/hello-world/contents/README.md"))["text"]
    for uri in (
        "octo/secrets.io/contents/README.md",
        "octo/hello-world/contents/..%2F..%2Fsecrets.io%2Fcontents%2FREADME.md",
        "octo/hello-world/contents/../../secrets.io/contents/README.md",
        "octo/hello-world/../secrets.io/contents/README.md",
        "octo/hello-world%2F..%2Fsecrets.io/contents/README.md",
    ):
        assert "message" in await desk.read(f"github://{uri}"), uri
    assert not [request for request in github.requests if "secrets.io" in request.path]


async def test_owners_repositories_and_paths_are_offered_as_they_are_typed(desk, github):
    assert await offered(desk, "owner", "O") == ["octo"]
    assert await offered(desk, "owner", "x") == []
    assert await offered(desk, "repo", "", owner="octo") == ["hello-world", "secrets.io"]
    assert await offered(desk, "repo", "HELLO", owner="octo") == ["hello-world"]
    assert await offered(desk, "repo", "", owner="nobody") == []
    chosen = {"owner": "octo", "repo": "hello-world"}
    assert await offered(desk, "path", "", **chosen) == ["README.md", "src/"]
    assert await offered(desk, "path", "s", **chosen) == ["src/"]
    assert await offered(desk, "path", "src/", **chosen) == ["src/main.py"]
    assert await offered(desk, "path", "src%2Fm", **chosen) == ["src/main.py"]
    assert await offered(desk, "path", "nope/", **chosen) == []


async def test_nothing_beyond_the_allow_list_is_offered(open_desk, github, app):
    desk = await open_desk(repositories=[REPO])
    assert await offered(desk, "owner", "") == ["octo"]
    assert await offered(desk, "repo", "", owner="octo") == ["hello-world"]
    assert not github.requests, "the allow-list says it"
    refused = await offered(desk, "path", "", owner="octo", repo="secrets.io")
    assert isinstance(refused, str) or refused == []
    assert isinstance(await offered(desk, "path", "../", owner="octo", repo="hello-world"), str | list)
    assert not github.requests
    wide = await open_desk(repositories=["octo/*"], credential=app)
    assert await offered(wide, "repo", "", owner="octo") == ["hello-world", "secrets.io"]
    assert await offered(wide, "repo", "", owner="mona") == []
