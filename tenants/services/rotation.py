"""Wrapping data keys anew after a key was put in front of the ring."""

from collections import Counter

from django.db import transaction

from audit import services as audit
from common import vault
from common.keyring import ring
from tenants.models import Tenant
from tenants.principals import Actor


def data_keys_rewrap(*, actor: Actor) -> dict[str, int]:
    """Wrap every tenant's data key with the ring's first key, one short transaction per tenant.

    Nothing that was encrypted changes and calls go on: both wrappings open as long as the
    ring holds both keys. Returns how many were ``rewrapped``, ``current`` already, or
    ``destroyed``. Raises :class:`common.keyring.UnknownKeyError` where the ring lacks a key.
    """
    counts: Counter[str] = Counter({"rewrapped": 0, "current": 0, "destroyed": 0})
    from_kids: Counter[str] = Counter()
    for tenant_id in list(Tenant.objects.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().filter(pk=tenant_id).first()
            if tenant is None:
                continue
            if not tenant.wrapped_data_key:
                counts["destroyed"] += 1
                continue
            kid = vault.wrapped_kid(tenant.wrapped_data_key)
            if kid == ring().current:
                counts["current"] += 1
                continue
            # No version bump: the data key is the same, nobody has to read it again.
            tenant.wrapped_data_key = vault.rewrap(tenant.pk, tenant.wrapped_data_key)
            tenant.save(update_fields=["wrapped_data_key"])
            counts["rewrapped"] += 1
            from_kids[kid] += 1
    if counts["rewrapped"]:
        with transaction.atomic():
            audit.record_change(
                tenant=None,
                actor=actor,
                name="keys.rotate",
                before=dict(from_kids),
                after={ring().current: counts["rewrapped"]},
            )
    return dict(counts)
