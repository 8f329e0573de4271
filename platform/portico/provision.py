"""What the quick start puts into an empty database: an administrator and two sample tenants.

Everything is looked for before it is made, so an interrupted first start is completed by the
next one, and whatever people changed since stays.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from connectors.models import Connection
from connectors.services import connection_create
from portico.access import Access, TenantAccess, admin_url, load, mcp_url, readdress, save
from tenants.models import AccessKey, Membership, ServiceAccount, Tenant
from tenants.principals import Actor, Role
from tenants.services import (
    access_key_create,
    access_key_revoke,
    membership_create,
    service_account_create,
    tenant_create,
)

USERNAME = "admin"
ACCOUNT = "quickstart"
ACTOR = Actor.system("quickstart")


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample tenant: its connections are named like their connectors."""

    slug: str
    name: str
    time_zone: str
    connectors: tuple[str, ...]


SAMPLES = (
    Sample("bistro", "Bistro", "Europe/Paris", ("restaurant", "goals", "memory")),
    Sample("harbor", "Harbor", "America/New_York", ("goals", "memory")),
)


def provision(*, reset: bool = False) -> tuple[Access, bool]:
    """Make what is missing; the second value tells whether login and keys are new.

    They are new at the first start, with ``reset``, and where the kept facts do not belong to
    this database. Otherwise only the URLs follow HOST, PORT and PORTICO_PUBLIC_URL.
    """
    kept = load()
    user_model = get_user_model()
    known = kept is not None and user_model._default_manager.filter(username=kept.username).exists()
    if kept is not None and known and not reset:
        return readdress(kept), False
    user, password = _administrator()
    # A reset knows nothing of the HOST and PORT that Portico was started with; the last start did.
    base = kept.base_url if kept is not None and known else settings.PORTICO_PUBLIC_URL
    access = Access(admin_url(base), USERNAME, password, [])
    for sample in SAMPLES:
        tenant = Tenant.objects.filter(slug=sample.slug).first()
        if tenant is None:
            if known:  # somebody deleted the sample; a new key does not bring it back
                continue
            tenant = tenant_create(
                slug=sample.slug, name=sample.name, time_zone=sample.time_zone, actor=ACTOR
            )
        if not known:
            _furnish(tenant, sample, user)
        access.tenants.append(TenantAccess(sample.slug, mcp_url(sample.slug, base), _new_key(tenant)))
    save(access)
    return access, True


def _administrator() -> tuple[Any, str]:
    """The superuser with a new password; sessions opened with the old one end with it."""
    password = secrets.token_urlsafe(15)
    with transaction.atomic():
        user, _ = get_user_model()._default_manager.get_or_create(username=USERNAME)
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(password)
        user.save()
    return user, password


def _furnish(tenant: Tenant, sample: Sample, user: Any) -> None:
    """The sample's connections (a connector adds its own sample data) and its owner."""
    there = set(Connection.objects.for_tenant(tenant).values_list("slug", flat=True))
    for connector in sample.connectors:
        if connector not in there:
            connection_create(tenant=tenant, connector=connector, slug=connector, actor=ACTOR)
    if not Membership.objects.for_tenant(tenant).filter(user=user).exists():
        membership_create(tenant=tenant, user=user, role=Role.OWNER, actor=ACTOR)


def _new_key(tenant: Tenant) -> str:
    """A new key of the sample's service account; its earlier keys are revoked."""
    account = ServiceAccount.objects.for_tenant(tenant).filter(name=ACCOUNT).first()
    if account is None:
        # An operator may use every tool, and configure nothing.
        account = service_account_create(tenant=tenant, name=ACCOUNT, role=Role.OPERATOR, actor=ACTOR)
    for key in AccessKey.objects.for_tenant(tenant).filter(principal_id=account.pk, revoked_at=None):
        access_key_revoke(key=key, actor=ACTOR)
    _, secret = access_key_create(tenant=tenant, principal=account, name="quick start", actor=ACTOR)
    return secret
