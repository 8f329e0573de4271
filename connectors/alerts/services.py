"""Who is told when a connection changes its state: made, changed, removed, tested."""

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import record_change
from common.loops import run_in_loop
from common.vault import VaultError, decrypt, encrypt
from connectors.alerts.mail import send_mail
from connectors.alerts.messages import Alert, of_test
from connectors.alerts.tries import Tried
from connectors.alerts.webhook import IN_THE_CLEAR, new_secret, send_webhook
from connectors.context import fingerprint
from connectors.models import AlertDelivery, AlertTarget
from connectors.services._shared import lock_tenant
from connectors.upstream.network import current_policy
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Actor, Role
from tenants.rules import demand

PURPOSE: Final = "alert-secret"
MAX_TARGETS: Final = 20  # of a tenant
SWITCHED_OFF: Final = "The target was switched off."


def alert_target_create(
    *, tenant: Tenant, kind: str, name: str, address: str, enabled: bool = True, actor: Actor
) -> tuple[AlertTarget, str]:
    """Have somebody told of changes; the second value is a webhook's signing secret, shown this once.

    Raises InvalidValue (with the field at fault) and NotAllowed.
    """
    if kind not in AlertTarget.Kind.values:
        raise InvalidValue(_("Write webhook or email."), "kind")
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "add alert targets")
        lock_tenant(tenant)
        if AlertTarget.objects.for_tenant(tenant).count() >= MAX_TARGETS:
            raise InvalidValue(_("A tenant has at most %(most)d alert targets.") % {"most": MAX_TARGETS})
        row = AlertTarget(
            tenant=tenant, kind=kind, name=_name(name), address=_address(kind, address), enabled=enabled
        )
        secret = _give_secret(row) if kind == AlertTarget.Kind.WEBHOOK else ""
        row.save(force_insert=True)
        record_change(
            tenant=tenant, actor=actor, name=f"alert_target.create {row.name}", before={},
            after=alert_target_facts(row),
        )  # fmt: skip
    return row, secret


def alert_target_update(
    row: AlertTarget,
    *,
    actor: Actor,
    name: str | None = None,
    address: str | None = None,
    enabled: bool | None = None,
) -> AlertTarget:
    """Change a target; what is None stays, and its kind always. Switched off, it gets nothing that waits."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "change alert targets")
        row = _locked(row)
        before = alert_target_facts(row)
        if name is not None:
            row.name = _name(name)
        if address is not None:
            row.address = _address(row.kind, address)
        if enabled is not None:
            row.enabled = enabled
        after = alert_target_facts(row)
        if after != before:
            row.save()
            if not row.enabled:
                give_up_waiting(row)
            record_change(
                tenant=tenant, actor=actor, name=f"alert_target.update {row.name}", before=before, after=after
            )
    return row


def alert_target_delete(row: AlertTarget, *, actor: Actor) -> None:
    """Tell them no more, and forget what they were told."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "remove alert targets")
        row = _locked(row)
        before = alert_target_facts(row)
        row.delete()
        record_change(
            tenant=tenant, actor=actor, name=f"alert_target.delete {row.name}", before=before, after={}
        )


def alert_secret_renew(row: AlertTarget, *, actor: Actor) -> str:
    """Give a webhook a new signing secret, which is shown this once; the former one signs nothing more."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "change alert targets")
        row = _locked(row)
        if row.kind != AlertTarget.Kind.WEBHOOK:
            raise InvalidValue(_("Only webhooks have a signing secret."))
        secret = _give_secret(row)
        row.save()
        record_change(
            tenant=tenant, actor=actor, name=f"alert_target.renew_secret {row.name}",
            before={"secret": "former"}, after={"secret": "new"},
        )  # fmt: skip
    return secret


def alert_target_test(row: AlertTarget, *, actor: Actor) -> Tried:
    """Send a test to a target now and tell how it went; for threads, at most about ten seconds."""
    demand(actor, row.tenant, Role.ADMIN, "test alert targets")
    return send_alert(row, of_test(str(uuid4()), row, timezone.now()))


def send_alert(target: AlertTarget, alert: Alert) -> Tried:
    """Send an alert once. Blocks; no transaction may be open meanwhile."""
    if target.kind == AlertTarget.Kind.EMAIL:
        return send_mail(target.address, alert)
    try:
        secret = decrypt(target.tenant, target.pk, PURPOSE, target.ciphertext).decode()
    except VaultError as error:
        return Tried(f"{error} ({_('Renew the signing secret.')})", final=True)
    return run_in_loop(send_webhook(target.tenant_id, target.pk, target.address, secret, alert))


def alert_target_facts(row: AlertTarget) -> dict[str, Any]:
    """What the audit shows of a target: of a URL only the origin, since its path may be a secret."""
    return {
        "name": row.name,
        "kind": str(row.kind),
        "address": shown_address(row),
        "enabled": row.enabled,
    }


def shown_address(row: AlertTarget) -> str:
    """An address to be seen by many: a URL without its path, and a digest that tells whether it changed."""
    if row.kind == AlertTarget.Kind.EMAIL:
        return row.address
    parts = urlsplit(row.address)
    return f"{parts.scheme}://{parts.netloc}/… ({fingerprint(row.address)[:8]})"


def give_up_waiting(target: AlertTarget, reason: str = SWITCHED_OFF) -> int:
    """End what still waits for a target, in the caller's transaction; returns how many."""
    waiting = AlertDelivery.objects.for_tenant(target.tenant_id).filter(
        target=target, status=AlertDelivery.Status.WAITING
    )
    return int(
        waiting.update(status=AlertDelivery.Status.FAILED, next_try_at=None, last_error=str(reason)[:300])
    )


def _give_secret(row: AlertTarget) -> str:
    secret = new_secret()
    row.ciphertext = encrypt(row.tenant, row.pk, PURPOSE, secret.encode())
    return secret


def _locked(row: AlertTarget) -> AlertTarget:
    rows = AlertTarget.objects.for_tenant(row.tenant_id).select_for_update(of=("self",), no_key=True)
    found: AlertTarget | None = rows.select_related("tenant").filter(pk=row.pk).first()
    if found is None:
        raise InvalidValue(_("This alert target does not exist any more."))
    return found


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 80 or not name.isprintable():
        raise InvalidValue(_("Write a name of 1 to 80 printable characters."), "name")
    return name


def _address(kind: str, address: str) -> str:
    address = address.strip()
    if len(address) > 500 or not address.isprintable():
        raise InvalidValue(_("Write an address of at most 500 printable characters."), "address")
    if kind == AlertTarget.Kind.EMAIL:
        try:
            validate_email(address)
        except ValidationError as error:
            raise InvalidValue(_("Write an e-mail address."), "address") from error
        return address
    return _url(address)


def _url(address: str) -> str:
    """A webhook's URL; its host's addresses are judged again, and for good, when it is called."""
    plain = bool(settings.PORTICO_SANDBOX or settings.PORTICO_ALLOW_PRIVATE_NETWORKS)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidValue(_("Write a whole https URL."), "address") from error
    if parts.scheme not in (("https", "http") if plain else ("https",)) or not host or " " in address:
        raise InvalidValue(_("Write a whole https URL."), "address")
    if parts.username is not None or parts.fragment:
        raise InvalidValue(_("Write the URL without a user name and without a fragment."), "address")
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return address
    problem = current_policy().problem(literal, port or (443 if parts.scheme == "https" else 80))
    if not problem and parts.scheme == "http" and literal.is_global:
        problem = str(IN_THE_CLEAR)
    if problem:
        raise InvalidValue(_("This address must not be called: %(why)s.") % {"why": problem}, "address")
    return address
