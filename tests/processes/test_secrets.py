"""Secrets that went through every door of a real server are found nowhere afterwards."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from common.keyring import ring
from common.redis import sync_client
from common.vault import VaultError, _data_keys, decrypt
from common.writer import writer
from connectors.context import CREDENTIAL_PURPOSE
from connectors.models import Credential
from connectors.services import credential_set
from connectors.snapshot import load
from tenants import key_cache
from tenants.access import authenticate_blocking
from tenants.models import AccessKey, ApiToken, IdempotentReply, Invitation
from tenants.services.tokens import api_token_create
from tests.admin.conftest import sign_in
from tests.factories import SYSTEM, make_connection, make_key, make_member, make_tenant, make_user, unique
from tests.live import eventually
from tests.mcp_endpoint.speak import Place, Post, legacy, modern

TOOLS = ["planted_crash", "planted_crash_url", "planted_crash_header", "planted_refuse"]
TENANT_PAGES = ["", "/memberships", "/service-accounts", "/invitations", "/permissions", "/access-keys", "/connections",
                "/connections/planted", "/connections/planted/credential", "/connections/planted/tools", "/audit",
                "/audit/export", "/audit/export?format=csv", "/tools"]  # fmt: skip


class Planting:
    """A tenant whose secrets have been used in every way, and what was answered."""

    def __init__(self, live) -> None:
        self.live, self.line, self.answers = live, live.line(), []
        self.tenant = make_tenant()
        self.secrets: dict[str, str] = {
            name: f"planted-{name.replace(' ', '-')}-{unique('z')}"
            for name in (
                "credential", "older credential", "wrong credential", "password argument", "nested argument",
                "declared argument", "sign-in password",
            )
        }  # fmt: skip
        self.user = make_user(superuser=True, password=self.secrets["sign-in password"])
        self.owner = make_member(self.tenant, "owner", self.user)
        self.key, self.secrets["access key"] = make_key(self.tenant, role="owner")
        self.token, self.secrets["api token"] = api_token_create(user=self.user, name="planted", actor=SYSTEM)
        self.place = Place(self.tenant, self.secrets["access key"], self.key)
        self.base = f"/api/v1/tenants/{self.tenant.slug}"
        self.plant()

    def api(self, method, path, body=None, **headers):
        lines = [
            ("authorization", f"Bearer {self.secrets['api token']}"),
            ("content-type", "application/json"),
        ]
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.line.send(Post(path, data, [*lines, *headers.items()], method))
        assert answer.status < 500, answer.body
        return answer

    def kept(self, answer):
        self.answers.append(answer.body.decode(errors="replace") + str(answer.headers))
        return answer

    def plant(self) -> None:
        say = self.secrets
        path = f"{self.base}/connections/planted"
        body = {"connector": "planted", "credential": {"token": say["older credential"]}}
        assert self.kept(self.api("PUT", path, body)).status == 201
        assert (
            self.kept(self.api("PUT", f"{path}/credential", {"values": {"token": say["credential"]}})).status
            == 200
        )
        for wrong in ({"token": [say["wrong credential"]]}, {"none": say["wrong credential"]}):
            self.kept(self.api("PUT", f"{path}/credential", {"values": wrong}))
        self.kept(self.api("POST", f"{path}/check"))
        assert self.api("PUT", f"{self.base}/connections/memory", {"connector": "memory"}).status == 201
        self.kept(self.line.call(self.place, "cache_set", key="a", value="b"))
        # What shows a secret once, and only there.
        headers = {"idempotency-key": unique("i")}
        body = {"name": "second", "service_account": "second"}
        made = self.api("POST", f"{self.base}/access-keys", body, **headers).json
        say["second access key"] = made["secret"]
        invited = self.api(
            "POST", f"{self.base}/invitations", {"email": "a@example.com", "role": "viewer"}
        ).json
        say["invitation"] = invited["link"].rstrip("/").rsplit("/", 1)[-1]
        self.line.get(f"/admin/invitation/{say['invitation']}/")
        self.line.get(f"/nowhere/{say['access key']}?access_key={say['access key']}")
        calls = [(tool, {}) for tool in TOOLS]
        calls += [
            ("planted_login", {"user": "u", "password": say["password argument"]}),
            ("planted_login", {"user": "u", "password": "x", "options": {"api_key": say["nested argument"]}}),
            ("planted_login", {"user": 7, "password": say["password argument"]}),
            ("planted_login", {"user": say["access key"], "password": say["api token"]}),
            ("planted_login", {"user": f"with {say['api token']}", "password": "x"}),
            ("planted_keep", {"word": say["declared argument"]}),
            ("planted_keep", {"word": say["declared argument"] * 3}),
            ("no_such_tool", {"password": say["password argument"]}),
        ]
        for speak in (modern, legacy):
            for tool, arguments in calls:
                self.kept(
                    self.line.send(speak(self.place, "tools/call", {"name": tool, "arguments": arguments}))
                )
        for tool, arguments in calls:
            self.kept(self.api("POST", f"{self.base}/call-tool", {"name": tool, "arguments": arguments}))
        # Strangers who come close.
        cut = Place(self.tenant, say["access key"][:-1] + "-", None)
        self.kept(self.line.send(modern(cut, "tools/list")))
        self.kept(self.line.get(self.base, say["api token"][:-1] + "-"))
        Client().post(
            reverse("admin:login"),
            {"username": self.user.username, "password": say["sign-in password"] + "x"},
        )
        browser = sign_in(self.user, self.tenant)
        for path in TENANT_PAGES:
            self.kept(self.api("GET", self.base + path))
        self.kept(self.api("GET", "/api/v1/health"))
        rows = AuditEvent.objects.for_tenant(self.tenant).filter(phase="done").order_by("-at_us")
        pages = [reverse("admin:index"), reverse("admin:audit_auditevent_changelist")]
        pages += [reverse("admin:audit_auditevent_change", args=[row.pk]) for row in rows[:60]]
        pages += [
            reverse(
                "admin:connectors_connection_change", args=[self.tenant.connections.get(slug="planted").pk]
            ),
            reverse("admin:tenants_accesskey_changelist"),
            reverse("admin:tenants_invitation_changelist"),
        ]
        for page in pages:
            answer = browser.get(page, follow=True)
            assert answer.status_code == 200, page
            self.answers.append(answer.content.decode())
        writer.flush()

    def found_in(self, text: str | bytes) -> list[str]:
        data = text.encode(errors="replace") if isinstance(text, str) else text
        found = []
        for name, secret in self.secrets.items():
            raw = secret.encode()
            # A key's or token's public id is no secret: what follows it is.
            forms = [raw[-20:], base64.b64encode(raw[:30]), raw[-20:].hex().encode()]
            found += [name for form in forms if form in data]
        return found


@pytest.fixture(scope="module")
def planting(live):
    return Planting(live)


def test_no_answer_shows_a_secret(planting):
    assert len(planting.answers) > 80
    for answer in planting.answers:
        assert planting.found_in(answer) == [], answer[:300]
    assert any("failed inside Portico" in answer for answer in planting.answers)


def test_no_log_line_and_no_traceback_shows_a_secret(planting):
    log = eventually(lambda: (text := planting.live.text()) and "ZeroDivisionError" in text and text)
    assert "Traceback" in log and "cannot connect to postgres://" in log
    for line in log.splitlines():
        assert planting.found_in(line) == [], line[:500]


def test_no_audit_row_shows_a_secret(planting):
    rows = list(AuditEvent.objects.for_tenant(planting.tenant).values())
    names = {row["name"] for row in rows}
    assert {*TOOLS, "planted_login", "planted_keep", "no_such_tool"} <= names
    assert {"credential.set planted", "connection.create planted"} <= names
    for row in rows:
        assert planting.found_in(json.dumps(row, default=str)) == [], row


def test_no_table_and_no_byte_of_the_database_file_shows_a_secret(planting):
    for model in apps.get_models():
        rows = getattr(model, "unscoped", model._default_manager).all()
        if any(field.name == "tenant" for field in model._meta.get_fields()):
            # The suite's other tenants hold hundreds of thousands of rows.
            rows = rows.filter(Q(tenant=planting.tenant) | Q(tenant=None))
        for row in rows.values().iterator():
            values = [
                bytes(v) if isinstance(v, (bytes, memoryview)) else str(v).encode(errors="replace")
                for v in row.values()
            ]
            assert planting.found_in(b" ".join(values)) == [], (model, row)
    assert (
        IdempotentReply.objects.filter(owner__contains=str(planting.user.pk)).exists()
        or IdempotentReply.objects.exists()
    )
    if connection.vendor == "sqlite":
        for path in Path(connection.settings_dict["NAME"]).parent.glob("test.sqlite3*"):
            # By another process: closing the file here would drop the locks that SQLite holds on it.
            read = subprocess.run(["cat", path], capture_output=True, check=True).stdout
            assert planting.found_in(read) == [], path


def test_nothing_in_redis_shows_a_secret(planting):
    client = sync_client()
    keys = list(client.scan_iter("*"))
    assert keys
    for key in keys:
        assert planting.found_in(key + (client.dump(key) or b"")) == [], key


def test_no_repr_shows_a_secret(planting):
    tenant = planting.tenant
    caller = authenticate_blocking(tenant.slug, planting.secrets["access key"], address="127.0.0.1")
    snapshot = load(tenant.pk)
    connector = snapshot.connection("planted").connector
    things = [
        tenant, caller, snapshot, connector, ring(), _data_keys, key_cache.entries.get(planting.key.pk),
        connector.Credentials(token=planting.secrets["credential"]), planting.user,
        *Credential.objects.for_tenant(tenant), *AccessKey.objects.for_tenant(tenant),
        *Invitation.objects.for_tenant(tenant), *ApiToken.objects.filter(user=planting.user),
        *AuditEvent.objects.for_tenant(tenant)[:50], *tenant.connections.all(),
    ]  # fmt: skip
    for thing in things:
        assert planting.found_in(f"{thing!r} {thing}") == [], type(thing)
    digests = [row.digest for row in AccessKey.objects.for_tenant(tenant)]
    assert not any(digest in repr(thing) for digest in digests for thing in things)


def test_a_ciphertext_on_another_row_does_not_decrypt(planting, live):
    one, two = make_tenant(), make_tenant()
    rows = []
    for tenant, slug in ((one, "probe"), (one, "again"), (two, "probe")):
        made = make_connection(tenant, "probe", slug)
        rows.append(credential_set(made, {"user": slug, "token": f"of {slug}"}, actor=SYSTEM))
    source, beside, foreign = rows
    for target in (beside, foreign):
        Credential.objects.for_tenant(target.tenant_id).filter(pk=target.pk).update(
            ciphertext=source.ciphertext
        )
        with pytest.raises(VaultError):
            decrypt(target.tenant, target.pk, CREDENTIAL_PURPOSE, source.ciphertext)
    line = live.line()
    for tenant, tool in ((one, "again__probe_credential"), (two, "probe_credential")):
        answer = line.call(Place(tenant, make_key(tenant)[1], None), tool)
        assert answer.result["isError"] is True
        assert "of probe" not in answer.body.decode()
    working = line.call(Place(one, make_key(one)[1], None), "probe_credential")
    assert working.result["structuredContent"] == {"user": "probe", "length": 8}
