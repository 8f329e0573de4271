"""Access keys: made once, shown once, narrowed, revoked."""

import hashlib
import ipaddress
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from tenants import rules
from tenants.errors import InvalidValue, WrongState
from tenants.models import AccessKey, Principal, Tenant
from tenants.patterns import validate_patterns
from tenants.principals import Actor, Role
from tenants.services._shared import UNSET, Unset, changed, check_name, finish

PREFIX = "ptc_"
MAX_NETWORKS = 50


def access_key_create(
    *,
    tenant: Tenant,
    principal: Principal,
    name: str,
    allow: Iterable[str] = (),
    deny: Iterable[str] = (),
    read_only: bool = False,
    networks: Iterable[str] = (),
    expires_at: datetime | None = None,
    actor: Actor,
) -> tuple[AccessKey, str]:
    """Make a key for a principal; the second value is the secret, which is stored nowhere.

    Raises :class:`tenants.errors.InvalidValue` or ``NotAllowed`` (a key of an owner is made
    by owners: it carries the owner's powers).
    """
    values = _checked(name=name, allow=allow, deny=deny, networks=networks, expires_at=expires_at)
    with transaction.atomic():
        row = (
            Principal.objects.for_tenant(tenant)
            .select_for_update(of=("self",), no_key=True)
            .filter(pk=principal.pk)
            .first()
        )
        if row is None:
            raise InvalidValue("This principal is not of this tenant.", "principal")
        own = rules.demand(actor, tenant, Role.ADMIN, "make access keys")
        rules.demand_not_above(own, row.role)
        key = AccessKey(tenant=tenant, principal=row, read_only=bool(read_only), **values)
        secret = f"{PREFIX}{key.id}_{urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b'=').decode()}"
        key.digest = hashlib.sha256(secret.encode()).hexdigest()
        key.save(force_insert=True)
        after = {"principal": row.display_name, "read_only": key.read_only, **values}
        finish(tenant, actor, f"access_key.create {key.id}", {}, after)
    return key, secret


def access_key_update(
    *,
    key: AccessKey,
    actor: Actor,
    name: str | Unset = UNSET,
    allow: Iterable[str] | Unset = UNSET,
    deny: Iterable[str] | Unset = UNSET,
    read_only: bool | Unset = UNSET,
    networks: Iterable[str] | Unset = UNSET,
    expires_at: datetime | Unset | None = UNSET,
) -> AccessKey:
    """Change what a key may do or how long; its secret and principal stay."""
    given = {"name": name, "allow": allow, "deny": deny, "networks": networks, "expires_at": expires_at}
    values = _checked(**{field: value for field, value in given.items() if value is not UNSET})
    with transaction.atomic():
        row = _current(key)
        own = rules.demand(actor, row.tenant, Role.ADMIN, "change access keys")
        rules.demand_not_above(own, row.principal.role)
        if row.revoked_at is not None:
            raise WrongState("This key was revoked; make a new one.")
        before, after = changed(row, read_only=read_only, **values)
        if after:
            row.save(update_fields=list(after))
            finish(row.tenant, actor, f"access_key.update {row.id}", before, after)
    return row


def access_key_revoke(*, key: AccessKey, actor: Actor) -> AccessKey:
    """End a key in every worker within a second; revoking twice changes nothing.

    Any admin may revoke any key, an owner's too: in doubt a key has to stop now.
    """
    with transaction.atomic():
        row = _current(key)
        rules.demand(actor, row.tenant, Role.ADMIN, "revoke access keys")
        before, after = changed(row, revoked_at=row.revoked_at or timezone.now())
        if after:
            row.save(update_fields=["revoked_at"])
            finish(row.tenant, actor, f"access_key.revoke {row.id}", before, after)
    return row


def _current(key: AccessKey) -> AccessKey:
    rows = AccessKey.objects.for_tenant(key.tenant_id).select_for_update(of=("self",), no_key=True)
    found: AccessKey | None = rows.select_related("tenant", "principal").filter(pk=key.pk).first()
    if found is None:
        raise InvalidValue("This key does not exist any more.")
    return found


def _checked(**values: Any) -> dict[str, Any]:
    if "name" in values:
        values["name"] = check_name(values["name"], 80)
    for field in ("allow", "deny"):
        if field in values:
            values[field] = validate_patterns(values[field], field)
    if "networks" in values:
        values["networks"] = validate_networks(values["networks"])
    end = values.get("expires_at")
    if end is not None and (not isinstance(end, datetime) or timezone.is_naive(end)):
        raise InvalidValue("Write the end as a date and time with its time zone.", "expires_at")
    return values


def validate_networks(networks: Iterable[object]) -> list[str]:
    """Networks in CIDR notation, normalised; a single address is a network of one."""
    if isinstance(networks, str):
        networks = networks.replace(",", " ").split()
    kept: list[str] = []
    for given in networks:
        try:
            network = str(ipaddress.ip_network(str(given).strip(), strict=False))
        except ValueError:
            raise InvalidValue(
                f"{str(given)[:60]!r} is no network; write for example 203.0.113.0/24 or 2001:db8::/32.",
                "networks",
            ) from None
        if network not in kept:
            kept.append(network)
    if len(kept) > MAX_NETWORKS:
        raise InvalidValue(f"At most {MAX_NETWORKS} networks.", "networks")
    return kept
