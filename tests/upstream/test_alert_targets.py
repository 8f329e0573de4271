"""Where alerts may go: addresses that may be called, mail, and who handles targets."""

import pytest

from audit.models import AuditEvent
from connectors.alerts import services
from connectors.models import AlertTarget
from connectors.upstream import names
from tenants.errors import InvalidValue, NotAllowed
from tests.factories import SYSTEM, actor_of, make_member, make_tenant
from tests.upstream.alerted import (
    Status,
    closed_port,
    fail,
    rows,
    run_due,
    target_of,
    tenant,
    there,
)
from tests.upstream.receiving import mailbox

__all__ = ["tenant", "there"]  # fixtures


# -- what may be called --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/x", "https://[::1]/x", "https://169.254.169.254/latest", "https://10.0.0.1/x",
     "http://hooks.example.com/x", "ftp://hooks.example.com/x", "https:///x", "hooks.example.com",
     "https://user:pw@hooks.example.com/", "https://hooks.example.com/#a", "https://[::1", "",
     "https://hooks.example.com/a b", "https://hooks.example.com/\nx", "https://h.example/" + "x" * 500],
)  # fmt: skip
def test_a_forbidden_or_broken_address_is_refused_at_its_field(tenant, settings, url):
    settings.PORTICO_SANDBOX = False
    with pytest.raises(InvalidValue) as caught:
        target_of(tenant, url)
    assert caught.value.field == "address"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "169.254.169.254"])
def test_a_forbidden_address_is_not_called_whatever_is_stored(there, tenant, settings, host):
    target, _ = target_of(tenant, there.url)
    settings.PORTICO_SANDBOX = False
    address = there.url.replace("127.0.0.1", host)
    AlertTarget.objects.for_tenant(tenant).filter(pk=target.pk).update(address=address)
    fail(tenant)
    (tried,) = run_due(tenant)
    assert "must not be reached" in tried.error and tried.final
    assert there.got == [] and rows(tenant)[0].status == Status.FAILED


def test_plain_http_is_for_operators_who_opened_private_networks(tenant, settings):
    settings.PORTICO_SANDBOX = False
    settings.PORTICO_ALLOW_PRIVATE_NETWORKS = ["10.0.0.0/8"]
    assert target_of(tenant, "http://10.0.0.1/x")[0].address == "http://10.0.0.1/x"


@pytest.mark.parametrize("address", ["http://1.1.1.1/x", "http://[2606:4700::1111]/x"])
def test_an_opened_private_network_lets_nothing_out_in_the_clear(tenant, settings, monkeypatch, address):
    settings.PORTICO_SANDBOX = False
    settings.PORTICO_ALLOW_PRIVATE_NETWORKS = ["10.0.0.0/8"]
    with pytest.raises(InvalidValue, match="private networks"):
        target_of(tenant, address)
    called = []
    host = address.split("/")[2].strip("[]")
    monkeypatch.setattr(names, "_ask", lambda *_: called.append(1) or [(2, 1, 6, "", (host, 80))])
    target, _ = target_of(tenant, "http://alerts.example/x")
    tried = services.alert_target_test(target, actor=SYSTEM)
    assert tried.final and "private networks" in tried.error and called == [1]


# -- mail ----------------------------------------------------------------------------------------


def test_an_alert_by_mail_says_what_happened_under_an_id_that_stays(tenant, settings):
    target, secret = target_of(tenant, "ops@example.com", kind="email")
    assert (secret, bytes(target.ciphertext)) == ("", b"")
    connection = fail(tenant)
    with mailbox() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        box.refuse = True
        assert not run_due(tenant)[0].ok
        (row,) = rows(tenant)
        assert row.status == Status.WAITING and "refused" in row.last_error
        box.refuse = False
        assert run_due(tenant, row.next_try_at)[0].ok
    (message,) = box.messages
    assert "To: ops@example.com" in message and f"Message-ID: <{row.pk}@" in message
    assert "fails" in message and f"{tenant.slug}/{connection.slug}" in message
    assert "No route" in message and "planted" not in message


def test_without_a_mail_server_a_delivery_fails_and_says_why(tenant, settings):
    settings.EMAIL_HOST = ""
    target_of(tenant, "ops@example.com", kind="email")
    fail(tenant)
    (tried,) = run_due(tenant)
    (row,) = rows(tenant)
    assert tried.final and row.status == Status.FAILED and "No mail server" in row.last_error


def test_a_mail_server_that_is_away_is_tried_again(tenant, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", closed_port()
    target_of(tenant, "ops@example.com", kind="email")
    fail(tenant)
    run_due(tenant)
    (row,) = rows(tenant)
    assert row.status == Status.WAITING and "did not take it" in row.last_error


# -- targets -------------------------------------------------------------------------------------


def test_only_admins_handle_targets_and_the_audit_shows_neither_secret_nor_path(tenant, settings):
    settings.PORTICO_SANDBOX = False
    admin, operator = make_member(tenant, "admin"), make_member(tenant, "operator")
    other = make_member(make_tenant(), "owner")
    values = {"tenant": tenant, "kind": "webhook", "name": "hook", "address": "https://h.example/secret-path"}
    row, secret = services.alert_target_create(**values, actor=actor_of(admin.user))
    for stranger in (operator, other):
        actor = actor_of(stranger.user)
        for refused in (
            lambda actor=actor: services.alert_target_create(**values, actor=actor),
            lambda actor=actor: services.alert_target_update(row, name="x", actor=actor),
            lambda actor=actor: services.alert_secret_renew(row, actor=actor),
            lambda actor=actor: services.alert_target_test(row, actor=actor),
            lambda actor=actor: services.alert_target_delete(row, actor=actor),
        ):
            with pytest.raises(NotAllowed):
                refused()
    services.alert_target_update(row, address="https://h.example/another-path", actor=actor_of(admin.user))
    services.alert_secret_renew(row, actor=actor_of(admin.user))
    services.alert_target_delete(row, actor=actor_of(admin.user))
    events = AuditEvent.objects.for_tenant(tenant).filter(name__startswith="alert_target").order_by("seq")
    assert [event.name.partition(" ")[0] for event in events] == [
        "alert_target.create", "alert_target.update", "alert_target.renew_secret", "alert_target.delete",
    ]  # fmt: skip
    text = " ".join(str(event.arguments) for event in events)
    assert "h.example" in text and "-path" not in text and secret not in text


@pytest.mark.parametrize(
    ("values", "field"),
    [({"kind": "pigeon"}, "kind"), ({"name": " "}, "name"), ({"name": "x" * 81}, "name"),
     ({"kind": "email", "address": "nobody"}, "address"),
     ({"kind": "email", "address": "a@example.com\nBcc: b@example.com"}, "address")],
)  # fmt: skip
def test_what_is_wrong_with_a_target_is_said_at_its_field(tenant, values, field):
    usual = {
        "tenant": tenant,
        "kind": "webhook",
        "name": "n",
        "address": "https://h.example/",
        "actor": SYSTEM,
    }
    with pytest.raises(InvalidValue) as caught:
        services.alert_target_create(**{**usual, **values})
    assert caught.value.field == field


def test_a_tenant_has_at_most_so_many_targets(tenant, monkeypatch):
    monkeypatch.setattr(services, "MAX_TARGETS", 2)
    for _ in range(2):
        target_of(tenant, "ops@example.com", kind="email")
    with pytest.raises(InvalidValue, match="at most 2"):
        target_of(tenant, "ops@example.com", kind="email")
