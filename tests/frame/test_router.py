import pytest

from portico.asgi import make_application


class Recorder:
    """An ASGI application that remembers the scope it was given."""

    def __init__(self):
        self.scope = None

    async def __call__(self, scope, receive, send):
        self.scope = scope


def scope(path, *, client=("203.0.113.9", 1234), headers=()):
    return {
        "type": "http",
        "path": path,
        "raw_path": path.encode(),
        "headers": list(headers),
        "client": client,
    }


async def route(path, *, prefix="", proxies=(), **kwargs):
    django, mcp, lifespan = Recorder(), Recorder(), Recorder()
    application = make_application(django, mcp, lifespan, prefix=prefix, proxies=list(proxies))
    await application(scope(path, **kwargs), None, None)
    assert lifespan.scope is None
    return django.scope, mcp.scope


@pytest.mark.parametrize(
    "path", ["/t/acme/mcp", "/t/acme/mcp/", "/t/acme/e/sales/mcp", "/t/acme/sse", "/t/acme/messages"]
)
async def test_a_tenants_mcp_paths_never_enter_django(path):
    django, mcp = await route(path)
    assert django is None
    assert mcp["path"] == path


@pytest.mark.parametrize(
    "path",
    ["/", "/admin/", "/t/acme/files/1", "/t/acme/mcpx", "/t/a/b/mcp", "/t//mcp", "/x/t/acme/mcp", "/readyz"],
)
async def test_everything_else_is_djangos(path):
    django, mcp = await route(path)
    assert mcp is None
    assert django["path"] == path


@pytest.mark.parametrize("path", ["/portico/t/acme/mcp", "/t/acme/mcp"])
async def test_a_path_prefix_is_accepted_passed_on_or_stripped(path):
    _, mcp = await route(path, prefix="/portico")
    assert (mcp["path"], mcp["raw_path"], mcp["root_path"]) == ("/t/acme/mcp", b"/t/acme/mcp", "/portico")
    django, _ = await route(path.replace("t/acme/mcp", "admin/"), prefix="/portico")
    assert (django["path"], django["root_path"]) == ("/portico/admin/", "/portico")


async def test_a_name_that_only_begins_like_the_prefix_is_not_the_prefix():
    django, _ = await route("/porticos/admin/", prefix="/portico")
    assert django["path"] == "/portico/porticos/admin/"


@pytest.mark.parametrize(
    ("address", "believed"), [("10.1.2.3", True), ("203.0.113.9", False), ("socket", False)]
)
async def test_only_a_trusted_proxy_says_that_a_request_came_over_tls(address, believed):
    django, _ = await route(
        "/admin/",
        proxies=["10.0.0.0/8"],
        client=(address, 1),
        headers=[(b"x-forwarded-proto", b"https"), (b"host", b"h")],
    )
    assert ((b"x-forwarded-proto", b"https") in django["headers"]) is believed
    assert (b"host", b"h") in django["headers"]
