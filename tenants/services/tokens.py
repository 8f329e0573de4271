"""API tokens: made once, shown once, revoked."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime
from hmac import compare_digest
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from tenants.errors import InvalidValue, NotAllowed
from tenants.models import ApiToken, Tenant
from tenants.principals import Actor
from tenants.selectors import tenants_of
from tenants.services._shared import check_name, plain

PREFIX = "pta_"


def api_token_create(
    *,
    user: Any,
    name: str,
    tenants: Iterable[Tenant] = (),
    read_only: bool = False,
    expires_at: datetime | None = None,
    actor: Actor,
) -> tuple[ApiToken, str]:
    """Make a token in a user's name; the second value is the secret, which is stored nowhere.

    Only the user and the platform's own commands may do so.
    Raises :class:`tenants.errors.InvalidValue` and ``NotAllowed``.
    """
    if not actor.platform and actor.id != str(user.pk):
        raise NotAllowed("A token is made by the user whose name it carries.")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidValue("Write a time in the future.", "expires_at")
    chosen = list(tenants)
    allowed = set(tenants_of(user).values_list("pk", flat=True))
    if any(tenant.pk not in allowed for tenant in chosen):
        raise InvalidValue("This user is no member of one of these tenants.", "tenants")
    with transaction.atomic():
        row = ApiToken(user=user, name=check_name(name, 80), read_only=read_only, expires_at=expires_at)
        secret = f"{PREFIX}{row.pk}_{urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b'=').decode()}"
        row.digest = digest_of(secret)
        row.save(force_insert=True)
        row.tenants.set(chosen)
        after = {"user": user.get_username(), "read_only": read_only, "tenants": [t.slug for t in chosen]}
        audit.record_change(
            tenant=None, actor=actor, name=f"api_token.create {row.pk}", before={}, after=plain(after)
        )
    return row, secret


def api_token_revoke(*, token: ApiToken, actor: Actor) -> None:
    """End a token at once; revoking twice changes nothing."""
    if not actor.platform and actor.id != str(token.user_id):
        raise NotAllowed("A token is revoked by the user whose name it carries.")
    with transaction.atomic():
        ended = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
        if ended:
            audit.record_change(
                tenant=None,
                actor=actor,
                name=f"api_token.revoke {token.pk}",
                before={"user": token.user.get_username()},
                after={},
            )


def api_token_find(presented: str) -> ApiToken | None:
    """The live token behind a presented secret, or None; its user must be active."""
    parts = presented.split("_", 2)
    if len(parts) != 3 or parts[0] != "pta" or len(parts[1]) != 12 or not presented.isascii():
        return None
    row = ApiToken.objects.select_related("user").filter(pk=parts[1]).first()
    stored = row.digest if row else digest_of("nothing")
    if not compare_digest(stored, digest_of(presented)) or row is None:
        return None
    now = timezone.now()
    if row.revoked_at or (row.expires_at and row.expires_at <= now) or not row.user.is_active:
        return None
    if row.last_used_at is None or (now - row.last_used_at).total_seconds() > 60:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return row


def digest_of(secret: str) -> str:
    """What is stored of a secret: it is random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
