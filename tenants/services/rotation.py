"""Wrapping data keys anew after a key was put in front of the ring."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from audit import services as audit
from common import vault
from common.keyring import UnknownKeyError, ring
from common.vault import VaultError
from tenants.models import Tenant
from tenants.principals import Actor


@dataclass(slots=True)
class Rewrapped:
    """What a rotation did, in numbers of tenants; ``unreadable`` has the reason by slug."""

    kid: str
    rewrapped: int = 0
    current: int = 0
    destroyed: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def data_keys_rewrap(*, actor: Actor) -> Rewrapped:
    """Wrap every tenant's data key with the ring's first key, one short transaction per tenant.

    Nothing that was encrypted changes and calls go on: both wrappings open as long as the
    ring holds both keys. A data key that cannot be read does not keep the others from it.
    """
    result = Rewrapped(kid=ring().current)
    from_kids: Counter[str] = Counter()
    for tenant_id, slug in list(Tenant.objects.order_by("pk").values_list("pk", "slug")):
        try:
            kid = _rewrap_one(tenant_id, result)
        except (UnknownKeyError, VaultError) as error:
            result.unreadable[slug] = str(error)
            continue
        if kid:
            from_kids[kid] += 1
    if from_kids:
        with transaction.atomic():
            audit.record_change(
                tenant=None,
                actor=actor,
                name="keys.rotate",
                before=dict(from_kids),
                after={result.kid: result.rewrapped},
            )
    return result


def _rewrap_one(tenant_id: UUID, result: Rewrapped) -> str:
    """Wrap one data key anew; the id of the ring key that wrapped it before, or "" if nothing was done."""
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant_id).first()
        if tenant is None:
            return ""
        if not tenant.wrapped_data_key:
            result.destroyed += 1
            return ""
        kid = vault.wrapped_kid(tenant.wrapped_data_key)
        if kid == result.kid:
            result.current += 1
            return ""
        # No version bump: the data key is the same, nobody has to read it again.
        tenant.wrapped_data_key = vault.rewrap(tenant.pk, tenant.wrapped_data_key)
        tenant.save(update_fields=["wrapped_data_key"])
        result.rewrapped += 1
        return kid
