"""Systems and arguments that try to lead a connection's credential astray, and messages that would tell it."""

import base64
import json

import pytest

from connectors.errors import ConnectorError
from connectors.upstream.client import Client, Request
from connectors.upstream.network import Policy
from connectors.upstream.oauth import oauth_token
from connectors.upstream.retry import Kind
from tests.upstream.conftest import ctx, sandbox, some_connection, until  # noqa: F401  fixtures
from tests.upstream.faulty import answer, faulty

SECRET = "planted-Zq7-secret-value"


class Plain:
    """A credential that stands in one header."""

    def __init__(self, value: str = f"Bearer {SECRET}") -> None:
        self.value = value

    async def headers(self, *, renewed):
        return {"authorization": self.value}


@pytest.fixture
async def system():
    async with faulty() as here:
        yield here


@pytest.fixture
async def foreign():
    async with faulty() as there:
        yield there


async def refused(client, context, request, auth=None):
    with pytest.raises(ConnectorError) as caught:
        await client.send(context, request, auth or Plain())
    return caught.value


def told(error):
    return json.dumps([error.message, error.hint, error.details, str(error), repr(error)])


@pytest.mark.parametrize("form", ["{url}/steal", "/{url}/steal", "./{url}/steal"])
async def test_an_argument_that_is_a_whole_address_leads_no_request_to_it(system, foreign, ctx, form):  # noqa: F811
    client = Client(some_connection(), f"{system.url}/rest/")
    try:
        await client.send(ctx(), Request("GET", form.format(url=foreign.url), Kind.READ), Plain())
    except ConnectorError as error:
        assert error.code == "bad_path"
    assert not foreign.came
    await client.aclose()


@pytest.mark.parametrize(
    "path",
    ["../admin", "items/../../admin", "items/..", "items/%2e%2e/%2E%2e/admin", "items/.%2e/x", "..%2fadmin"],
)
async def test_no_argument_climbs_out_of_the_connections_address(system, ctx, path):  # noqa: F811
    client = Client(some_connection(), f"{system.url}/ex/jira/cloud-of-this-tenant")
    error = await refused(client, ctx(), Request("GET", path, Kind.READ))
    assert error.code == "bad_path" and not error.retryable
    assert not system.came
    await client.aclose()


@pytest.mark.parametrize(
    "path", ["items/1..2", "items/...", "items/a.b/.c", "items/1?next=../x", "a:b", "x%2Fy"]
)
async def test_dots_that_climb_nowhere_stay_as_they_are(system, ctx, path):  # noqa: F811
    client = Client(some_connection(), f"{system.url}/rest")
    await client.send(ctx(), Request("GET", path, Kind.READ), Plain())
    assert system.came[0].target == f"/rest/{path}"
    await client.aclose()


@pytest.mark.parametrize(
    "path", ["items/1\r\nx-evil: 1", "items/\x00", "items/1 HTTP/1.1\r\n\r\nGET /x", "a\tb"]
)
async def test_control_characters_in_a_path_send_nothing(system, ctx, path):  # noqa: F811
    client = Client(some_connection(), system.url)
    await refused(client, ctx(), Request("GET", path, Kind.READ))
    assert not system.came
    await client.aclose()


@pytest.mark.parametrize("status", [307, 308, 301, 302])
async def test_a_token_requests_secrets_are_not_sent_to_another_origin(system, foreign, ctx, status):  # noqa: F811
    system.otherwise = answer(status, b"", location=f"{foreign.url}/steal")
    client = Client(some_connection(retries=0), system.url)
    fields = {"grant_type": "client_credentials", "client_secret": SECRET}
    basic = base64.b64encode(f"client:{SECRET}".encode()).decode()
    with pytest.raises(ConnectorError) as caught:
        await oauth_token(
            ctx(), client, "token", fields, headers={"authorization": f"Basic {basic}"}, kind=Kind.READ
        )
    assert caught.value.code == "redirect"
    assert not foreign.came
    await client.aclose()


async def test_a_keys_own_header_is_not_sent_to_another_origin(system, foreign, ctx):  # noqa: F811
    system.otherwise = answer(302, b"", location=f"{foreign.url}/elsewhere")
    client = Client(some_connection(), system.url)
    request = Request(
        "GET", "items", Kind.READ, headers={"x-subscription-token": SECRET, "accept": "text/plain"}
    )
    await client.send(ctx(), request)
    (came,) = foreign.came
    assert SECRET not in json.dumps(came.headers) and came.headers["accept"] == "text/plain"
    await client.aclose()


@pytest.mark.parametrize("ending", ["\n", "\r\nx-evil: 1", "\x00", "\x7f\n"])
async def test_a_credential_that_is_no_header_is_neither_sent_nor_told(system, ctx, ending):  # noqa: F811
    client = Client(some_connection(), system.url)
    for request in (Request("GET", "items", Kind.READ), Request("POST", "items", Kind.ONCE, json={})):
        error = await refused(client, ctx(), request, Plain(f"Bearer {SECRET}{ending}"))
        assert SECRET not in told(error)
        assert error.code == "bad_header" and not error.retryable, told(error)
    assert not system.came
    await client.aclose()


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({}, f"Bearer {SECRET}✓"),
        ({}, f"Bearer {SECRET}\ud800"),
        ({"json": {"name": "a\ud800"}}, "Bearer x"),
        ({"json": {"name": float("nan")}}, "Bearer x"),
        ({"params": {"name": "a\ud800"}}, "Bearer x"),
        ({"headers": {"x-name": "✓"}}, "Bearer x"),
    ],
    ids=["symbol", "surrogate", "body", "nan", "query", "header"],
)
async def test_what_cannot_be_written_down_is_refused_and_not_sent(system, ctx, more, value):  # noqa: F811
    client = Client(some_connection(), system.url)
    for path in ("items", "items/\ud800"):
        error = await refused(client, ctx(), Request("POST", path, Kind.ONCE, **more), Plain(value))
        assert error.code == "bad_character" and not error.retryable
        assert SECRET not in told(error)
    assert not system.came
    await client.aclose()


@pytest.mark.parametrize("before", range(270, 302, 4))
async def test_no_piece_of_a_secret_is_left_where_an_answer_is_cut(system, ctx, before):  # noqa: F811
    system.otherwise = answer(400, b"x" * before + SECRET.encode() + b"!", content_type="text/plain")
    client = Client(some_connection(), system.url)
    error = await refused(client, ctx(), Request("GET", "items", Kind.READ))
    assert "planted" not in told(error) and "plan" not in told(error)
    await client.aclose()


async def test_a_password_that_went_out_in_base64_is_masked_as_it_is_too(system, ctx):  # noqa: F811
    basic = base64.b64encode(f"someone@example.com:{SECRET}".encode()).decode()
    for body in (SECRET, f"user {SECRET} is locked", basic):
        system.otherwise = answer(401, body.encode(), content_type="text/plain")
        client = Client(some_connection(retries=0), system.url)
        error = await refused(client, ctx(), Request("GET", "items", Kind.ONCE), Once(f"Basic {basic}"))
        assert SECRET not in told(error) and basic not in told(error)
        await client.aclose()


@pytest.mark.parametrize("secret", ['pa"ss\\word/1', "pä?ss&word=1", "pass word+1"])
async def test_a_secret_is_masked_in_the_forms_that_systems_quote_it_in(system, ctx, secret):  # noqa: F811
    from urllib.parse import quote, quote_plus

    forms = (
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        quote(secret, safe=""),
        quote_plus(secret),
    )
    for form in forms:
        system.otherwise = answer(400, f'{{"key": {form}}}'.encode(), content_type="application/json")
        client = Client(some_connection(), system.url)
        error = await refused(
            client, ctx(), Request("GET", "items", Kind.READ, secrets=(secret,)), Once("Bearer x")
        )
        assert form.strip('"') not in error.message
        await client.aclose()


class Once(Plain):
    """A credential that cannot be renewed."""

    async def headers(self, *, renewed):
        if renewed:
            from connectors.errors import AuthenticationFailed

            raise AuthenticationFailed("The system refused the credential.")
        return {"authorization": self.value}


@pytest.mark.parametrize(
    "address", ["fec0::1", "::ffff:0:7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "::ffff:10.0.0.1"]
)
def test_no_form_of_an_inner_address_counts_as_public(address):
    import ipaddress

    assert Policy().problem(ipaddress.ip_address(address), 443)


@pytest.mark.parametrize(
    "address", ["fd20:ce::254", "fd00:ec2::254", "fd00:c1::a9fe:a9fe", "169.254.169.254"]
)
def test_metadata_stays_closed_where_private_networks_are_open(address):
    import ipaddress

    networks = (ipaddress.ip_network("fc00::/7"), ipaddress.ip_network("169.254.0.0/16"))
    assert Policy(networks).problem(ipaddress.ip_address(address), 80)


async def test_porticos_own_database_stays_closed_when_its_name_gets_another_address(
    system,
    ctx,  # noqa: F811
    settings,
    monkeypatch,
):
    from connectors.upstream import names, network

    port = int(system.url.rpartition(":")[2])
    here = {"db.example": ["10.1.1.1"]}

    def ask(host, asked):
        if not here[host]:
            raise OSError("no name server")
        return [(2, 1, 6, "", (address, asked)) for address in here[host]]

    monkeypatch.setattr(names, "_ask", ask)
    monkeypatch.setattr(network, "_own_hosts", lambda: [("db.example", port)])
    monkeypatch.setattr(network, "_own", {})
    monkeypatch.setattr(network, "_own_until", 0.0)
    here["evil.example"] = ["127.0.0.1"]
    client = Client(some_connection(retries=0), f"http://evil.example:{port}")
    here["db.example"] = ["127.0.0.1"]
    error = await refused(client, ctx(), Request("GET", "x", Kind.READ))
    assert error.code == "forbidden_address" and not system.came
    here["db.example"] = ["10.1.1.2"]
    monkeypatch.setattr(network, "_own_until", 0.0)
    with pytest.raises(ConnectorError):
        await client.send(ctx(), Request("GET", "x", Kind.READ), Plain())
    await until(lambda: ("10.1.1.2", port) in network._own_places())
    here["db.example"] = []  # its former addresses hold while no name server answers
    monkeypatch.setattr(network, "_own_until", 0.0)
    await client.send(ctx(), Request("GET", "x", Kind.READ), Plain())
    assert ("10.1.1.2", port) in network._own_places() and system.came
    await client.aclose()
