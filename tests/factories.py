"""Making what a test needs through the real services; every name is unique.

Nothing here is shared between tests: each makes its own tenant and asserts only on it.
"""

import secrets
from typing import Any

from django.contrib.auth import get_user_model

from tenants import services
from tenants.models import AccessKey, Membership, ServiceAccount, Tenant
from tenants.principals import Actor, Caller
from tenants.selectors import caller_of

SYSTEM = Actor.system("tests")


def unique(prefix: str = "t") -> str:
    """A slug that no other test has."""
    return f"{prefix}{secrets.token_hex(5)}"


def make_tenant(slug: str | None = None, **fields: Any) -> Tenant:
    slug = slug or unique("t")
    return services.tenant_create(slug=slug, name=fields.pop("name", slug.title()), actor=SYSTEM, **fields)


def make_user(
    name: str | None = None, *, superuser: bool = False, password: str | None = None, **fields: Any
) -> Any:
    """A user; without a password it cannot sign in (``force_login`` works), which is fast."""
    user = get_user_model()(
        username=name or unique("u"), is_staff=True, is_superuser=superuser, is_active=True, **fields
    )
    user.set_password(password) if password else user.set_unusable_password()
    user.save()
    return user


def make_member(tenant: Tenant, role: str = "operator", user: Any = None) -> Membership:
    return services.membership_create(tenant=tenant, user=user or make_user(), role=role, actor=SYSTEM)


def make_service_account(tenant: Tenant, role: str = "operator") -> ServiceAccount:
    return services.service_account_create(tenant=tenant, name=unique("s"), role=role, actor=SYSTEM)


def make_key(
    tenant: Tenant, role: str = "operator", principal: Any = None, **rights: Any
) -> tuple[AccessKey, str]:
    """A key of a new service account of this role (or of ``principal``) and its secret."""
    return services.access_key_create(
        tenant=tenant,
        principal=principal or make_service_account(tenant, role),
        name=rights.pop("name", "test key"),
        actor=SYSTEM,
        **rights,
    )


def make_caller(tenant: Tenant, role: str = "operator", *, via: str = "mcp", **rights: Any) -> Caller:
    """Who calls with a new key of this role; ``rights`` are those of the key."""
    principal = make_service_account(tenant, role)
    key, _ = make_key(tenant, principal=principal, **rights)
    return caller_of(principal, key=key, address="127.0.0.1", via=via)


def actor_of(user: Any, address: str = "127.0.0.1") -> Actor:
    return Actor(id=str(user.pk), name=user.get_username(), address=address)


def make_connection(tenant: Tenant, connector: str = "goals", slug: str | None = None, **fields: Any) -> Any:
    from connectors import services as connector_services

    return connector_services.connection_create(
        tenant=tenant, connector=connector, slug=slug or connector, actor=SYSTEM, **fields
    )
