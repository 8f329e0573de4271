"""Who may see and change what stands around connections; what one tenant names is never another's."""

from datetime import timedelta

import pytest
from django.utils import timezone

from common.bus import bus
from common.redis import tenant_key
from connectors import tasks
from connectors.alerts.delivery import due_alerts
from connectors.alerts.services import alert_target_create
from connectors.base import CheckResult
from connectors.health.recording import Found, record_check
from connectors.health.states import Outcome
from connectors.models import AlertDelivery, Credential, HealthCheck, StateChange, UsageLimit, WarmUp
from connectors.results import ToolResult
from connectors.services import limit_create
from connectors.upstream.cache.copies import Copy, copies
from tests.api.test_api import client
from tests.connectors.warm_tools import have_it
from tests.factories import SYSTEM, make_connection, make_key, make_tenant, unique

have_it()


class Side:
    """A tenant with one of everything."""

    def __init__(self) -> None:
        self.tenant = make_tenant()
        self.slug = unique("c")[:12]
        self.row = make_connection(self.tenant, "warmed", self.slug, credential={"token": "t"})
        self.limit = limit_create(tenant=self.tenant, calls=9, period="day", actor=SYSTEM)
        self.warm_up = WarmUp.objects.create(
            tenant=self.tenant, connection=self.row, tool="warmed_read", arguments={"folder": "/nowhere"},
            next_at=timezone.now(),
        )  # fmt: skip
        self.target, _ = alert_target_create(
            tenant=self.tenant, kind="email", name="Ops", address="ops@example.com", actor=SYSTEM
        )
        self.base = f"/api/v1/tenants/{self.tenant.slug}"

    def api(self, role, **rights):
        return client(make_key(self.tenant, role, **rights)[1])

    def changes(self):
        """Every changing request around connections, as method, address and body."""
        warm_up = {"connection": self.slug, "tool": "warmed_read", "arguments": {"folder": "/x"}}
        target = {"kind": "email", "name": unique("n"), "address": "a@example.com"}
        base = self.base
        return [
            ("post", f"{base}/limits", {"calls": 1, "period": "hour"}),
            ("patch", f"{base}/limits/{self.limit.pk}", {"calls": 1}),
            ("delete", f"{base}/limits/{self.limit.pk}", None),
            ("post", f"{base}/warm-ups", warm_up),
            ("patch", f"{base}/warm-ups/{self.warm_up.pk}", {"enabled": False}),
            ("post", f"{base}/warm-ups/{self.warm_up.pk}/run", None),
            ("delete", f"{base}/warm-ups/{self.warm_up.pk}", None),
            ("post", f"{base}/alert-targets", target),
            ("patch", f"{base}/alert-targets/{self.target.pk}", {"enabled": False}),
            ("post", f"{base}/alert-targets/{self.target.pk}/secret", None),
            ("post", f"{base}/alert-targets/{self.target.pk}/test", None),
            ("delete", f"{base}/alert-targets/{self.target.pk}", None),
            ("post", f"{base}/connections/{self.slug}/breaker/reset", None),
            ("post", "/api/v1/cache/clear", {"tenant": self.tenant.slug}),
            ("post", "/api/v1/cache/clear", {"tenant": self.tenant.slug, "connection": self.slug}),
            ("patch", f"{base}/connections/{self.slug}", {"network": {"retries": 0}}),
            ("patch", f"{base}/connections/{self.slug}", {"cache": {"enabled": False}}),
        ]

    def admins_pages(self):
        paths = ["limits", "warm-ups", "alert-targets", "usage", f"limits/{self.limit.pk}"]
        paths += [f"warm-ups/{self.warm_up.pk}", f"alert-targets/{self.target.pk}"]
        return [f"{self.base}/{path}" for path in (*paths, f"alert-targets/{self.target.pk}/deliveries")]


@pytest.fixture(scope="module")
def left(database):
    return Side()


@pytest.fixture(scope="module")
def right(database):
    return Side()


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("viewer", {}),
        ("operator", {}),
        ("admin", {"read_only": True}),
        ("owner", {"allow": ["*:warmed_read"]}),
    ],
)
def test_only_an_admin_with_a_whole_key_changes_what_stands_around_connections(left, role, rights):
    api = left.api(role, **rights)
    for method, path, body in left.changes():
        answer = getattr(api, method)(path, body, format="json")
        assert answer.status_code == 403, (method, path, answer.content)
    for path in left.admins_pages():
        assert api.get(path).status_code == 403, path
    assert api.get(f"/api/v1/status/{left.slug}").status_code == 200
    assert UsageLimit.objects.for_tenant(left.tenant).count() == 1


def test_an_owner_of_another_tenant_finds_none_of_it(left, right):
    api = right.api("owner")
    for method, path, body in left.changes():
        answer = getattr(api, method)(path, body, format="json")
        assert answer.status_code == 404, (method, path, answer.content)
    for path in left.admins_pages():
        assert api.get(path).status_code == 404, path
    for query in ("", f"?tenant={left.tenant.slug}"):
        assert api.get(f"/api/v1/status/{left.slug}{query}").status_code == 404
    assert api.get(f"/api/v1/metrics?tenant={left.tenant.slug}").status_code == 404
    assert left.tenant.slug not in api.get("/api/v1/metrics").content.decode()


def test_rows_of_another_tenant_are_not_found_under_ones_own_address(left, right):
    api = right.api("owner")
    for method, path, body in left.changes():
        if path.startswith(left.base) and path.count("/") > 5:
            answer = getattr(api, method)(path.replace(left.base, right.base), body, format="json")
            assert answer.status_code == 404, (method, path, answer.content)


def test_a_body_that_names_another_tenants_things_is_refused(left, right):
    api, foreign_key = right.api("owner"), make_key(left.tenant)[0]
    wrong = [
        ("limits", {"calls": 1, "period": "hour", "key": foreign_key.pk}),
        ("limits", {"calls": 1, "period": "hour", "connection": left.slug}),
        ("warm-ups", {"connection": left.slug, "tool": "warmed_read", "arguments": {"folder": "/x"}}),
        ("warm-ups", {"connection": str(left.row.pk)[:14], "tool": "warmed_read"}),
    ]
    for path, body in wrong:
        assert api.post(f"{right.base}/{path}", body, format="json").status_code == 400, body
    clear = {"tenant": right.tenant.slug, "connection": left.slug}
    assert api.post("/api/v1/cache/clear", clear, format="json").status_code == 404


def test_a_task_that_is_given_another_tenants_row_does_nothing(left, right):
    record_check(left.tenant.pk, left.row.pk, Found(CheckResult(False, "x"), Outcome.FAILED, 1))
    check = HealthCheck.objects.for_tenant(left.tenant).get(connection=left.row)
    slot = timezone.now() - timedelta(seconds=5)
    HealthCheck.objects.for_tenant(left.tenant).filter(pk=check.pk).update(next_probe_at=slot)
    change = StateChange.objects.create(
        tenant=left.tenant, connection=left.row, former="ok", state="failing", message="m"
    )
    told = AlertDelivery.objects.create(
        tenant=left.tenant, target=left.target, change=change, next_try_at=timezone.now()
    )
    (due,) = [each for each in due_alerts(timezone.now(), 10_000) if each.delivery_id == told.pk]
    token = Credential.objects.create(
        tenant=left.tenant, connection=left.row, kind="token", ciphertext=b"x", expires_at=timezone.now()
    )
    foreign = str(right.tenant.pk)
    tasks.probe_connection(foreign, str(left.row.pk), slot.isoformat())
    tasks.alert_deliver(foreign, str(told.pk), due.slot.isoformat())
    assert tasks.token_refresh(foreign, str(token.pk)) == "gone"
    from connectors.warming import warm

    assert warm(right.tenant.pk, left.warm_up.pk, timezone.now(), "m1") is False
    told.refresh_from_db()
    left.warm_up.refresh_from_db()
    check.refresh_from_db()
    assert (told.status, told.attempts, told.last_error) == ("waiting", 0, "")
    assert left.warm_up.last_at is None and check.next_probe_at == slot


def test_a_message_that_is_copied_to_another_tenants_channel_is_not_obeyed(left, right):
    mark = f"{right.row.pk.hex}:*"
    copies.keep(right.tenant.pk, Copy(b"k", (mark,), ToolResult({"a": 1}), 10, 0.0, 60.0), copies.moment)
    assert copies.find(right.tenant.pk, b"k") is not None
    channel, sealed = bus._sealed(left.tenant.pk, "cache", {"marks": [mark]})
    before, bus._identity = bus._identity, "another process"
    try:
        bus._take(tenant_key(right.tenant.pk, "bus").encode(), sealed)
        assert copies.find(right.tenant.pk, b"k") is not None, "a copied message was obeyed"
        bus._take(channel.encode(), sealed)
        assert copies.find(right.tenant.pk, b"k") is not None, "a tenant forgot another's results"
    finally:
        bus._identity = before
