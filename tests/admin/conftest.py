"""Two tenants with people of every kind, and a connector with secrets."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connectors import registry
from connectors.alerts.services import alert_target_create
from connectors.models import UsageDay, WarmUp
from connectors.services import endpoint_create, limit_create, permission_set
from tenants import services
from tests.factories import (
    SYSTEM,
    make_connection,
    make_key,
    make_member,
    make_service_account,
    make_tenant,
    make_user,
    unique,
)

PLANTED = "planted-secret-Zq7"


@dataclass
class Side:
    """One tenant and what belongs to it."""

    tenant: Any
    people: dict[str, Any] = field(default_factory=dict)
    things: dict[str, Any] = field(default_factory=dict)


@dataclass
class World:
    """Two tenants, a superuser, and a user who belongs nowhere."""

    left: Side
    right: Side
    superuser: Any
    stranger: Any


@pytest.fixture(scope="session", autouse=True)
def vaulted(database: None) -> Iterator[None]:
    registry.BUILT_IN["vaulted"] = "tests.admin.vaulted:Vaulted"
    yield
    del registry.BUILT_IN["vaulted"]


def furnish() -> Side:
    side = Side(make_tenant(unique("adm")))
    tenant = side.tenant
    for role in ("owner", "admin", "operator", "viewer"):
        side.people[role] = make_member(tenant, role)
    side.things["membership"] = side.people["operator"]
    side.things["serviceaccount"] = make_service_account(tenant)
    side.things["accesskey"], side.things["secret"] = make_key(tenant, name=unique("key"))
    side.things["invitation"], side.things["token"] = services.invitation_create(
        tenant=tenant, email=f"{unique('mail')}@example.com", role="viewer", actor=SYSTEM
    )
    side.things["goals"] = make_connection(tenant, "goals", name=unique("goals"))
    side.things["connection"] = make_connection(
        tenant,
        "vaulted",
        slug="vault",
        name=unique("vault"),
        settings={"region": "north"},
        credential={"user": "u", "token": PLANTED},
    )
    side.things["toolpermission"] = permission_set(
        tenant=tenant, role="viewer", allow=["*:*"], deny=[], actor=SYSTEM
    )
    side.things["endpoint"] = endpoint_create(tenant=tenant, slug="desk", name=unique("desk"), actor=SYSTEM)
    side.things["alerttarget"], side.things["signing"] = alert_target_create(
        tenant=tenant,
        kind="webhook",
        name=unique("hook"),
        address="https://hooks.example.com/x",
        actor=SYSTEM,
    )
    side.things["usagelimit"] = limit_create(
        tenant=tenant, calls=9, period="day", key=side.things["accesskey"].pk, actor=SYSTEM
    )
    side.things["warmup"] = WarmUp.objects.create(
        tenant=tenant, connection=side.things["connection"], tool=unique("w"), enabled=False
    )
    side.things["usageday"] = UsageDay.objects.create(
        tenant=tenant,
        day=date(2026, 1, 1),
        connection="vault",
        tool=unique("d"),
        principal_name=unique("n"),
        calls=3,
    )
    side.things["tenant"] = tenant
    return side


@pytest.fixture(scope="module")
def world(vaulted: None) -> World:
    return World(furnish(), furnish(), make_user(superuser=True), make_user())


def sign_in(user: Any, tenant: Any = None) -> Client:
    """A browser of this user, in this tenant."""
    client = Client()
    client.force_login(user)
    if tenant is not None:
        client.post(reverse("admin:switch_tenant"), {"tenant": str(tenant.pk)})
    return client


def url(page: str, *args: Any) -> str:
    return reverse(f"admin:{page}", args=args)
