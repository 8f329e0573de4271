"""Fills a new database with a little of everything and prints what must be readable in it later."""

import asyncio
import contextlib
import json
from functools import partial
from typing import Any

from tests.upgrade.program import call, run

DAYS = 4  # of the restaurant's sales, in place of its year


def fill() -> dict[str, Any]:
    """Two tenants, each with its own of everything; the facts, secrets too."""
    from connectors.providers.restaurant import connector as restaurant
    from connectors.providers.restaurant.sample import seed
    from tenants.principals import Actor
    from tenants.services.tokens import api_token_create
    from tests.factories import make_user

    restaurant.seed = partial(seed, days=DAYS)  # type: ignore[assignment]
    actor = Actor.system("release")
    root = make_user("root", superuser=True, password="the-root-of-0")
    token, secret = api_token_create(user=root, name="provisioning", actor=actor)
    return {
        "password": {"username": "root", "password": "the-root-of-0"},
        "api_token": {"secret": secret, "id": str(token.pk)},
        "tenants": [
            _tenant("bistro", "Bistro Zürich", "Europe/Zurich", ("restaurant", "goals", "memory", "probe")),
            _tenant("harbor", "Harbor", "America/New_York", ("goals", "memory", "probe")),
        ],
    }


def _tenant(slug: str, name: str, time_zone: str, connectors: tuple[str, ...]) -> dict[str, Any]:
    from audit.models import AuditEvent
    from connectors import services as connecting
    from connectors.models import Connection
    from tenants import services
    from tenants.access import AccessDenied, authenticate_blocking
    from tenants.principals import Actor
    from tests.factories import make_user

    actor = Actor.system("release")
    tenant = services.tenant_create(slug=slug, name=name, time_zone=time_zone, actor=actor)
    for connector in connectors:
        settings = {"greeting": f"Grüezi from {slug}", "count": 3} if connector == "probe" else {}
        connecting.connection_create(
            tenant=tenant, connector=connector, slug=connector, settings=settings, actor=actor
        )
    members = {}
    for role in ("owner", "viewer"):
        services.membership_create(tenant=tenant, user=make_user(f"{slug}-{role}"), role=role, actor=actor)
        members[f"{slug}-{role}"] = role
    agent = services.service_account_create(tenant=tenant, name="agent", role="operator", actor=actor)

    probe = Connection.objects.for_tenant(tenant).get(slug="probe")
    shared = {"user": f"robot@{slug}.example", "token": f"shared-token-of-{slug}"}
    personal = {"user": f"agent@{slug}.example", "token": f"personal-token-of-{slug}"}
    connecting.credential_set(probe, shared, actor=actor)
    connecting.credential_set(probe, personal, actor=actor, principal=agent)
    connecting.switch_set(probe, tool="probe_delete", enabled=True, actor=actor)
    connecting.permission_set(
        tenant=tenant, role="viewer", allow=["*:*"], deny=["probe:probe_rows"], actor=actor
    )

    _, works = services.access_key_create(tenant=tenant, principal=agent, name="agent", actor=actor)
    _, narrow = services.access_key_create(
        tenant=tenant, principal=agent, name="narrow", allow=["goals:*"], read_only=True, actor=actor
    )
    revoked, ended = services.access_key_create(tenant=tenant, principal=agent, name="old", actor=actor)
    services.access_key_revoke(key=revoked, actor=actor)
    services.invitation_create(tenant=tenant, email=f"guest@{slug}.example", role="viewer", actor=actor)

    caller = authenticate_blocking(slug, works, address="127.0.0.1")
    subtasks = [{"id": "a", "description": "Dig"}, {"description": "Build", "dependencies": ["a"]}]
    goal, made = call(
        caller,
        ("create_goal", {"description": f"Open {slug}", "priority": "high", "metadata": {"größe": 2}}),
        ("break_down_goal", {"goal_id": "GOAL-0001", "subtasks": subtasks}),
    )
    call(caller, ("claim_task", {"task_id": made["tasks"][0]["id"], "agent": "ada"}), ("cache_ping", {}))
    call(caller, ("update_task_status", {"task_id": made["tasks"][0]["id"], "status": "in_progress"}))
    call(caller, ("probe_secret", {"word": "never-to-be-kept"}), ("probe_file", {"text": "hello"}))
    facts: dict[str, Any] = {}
    if "restaurant" in connectors:
        order = {"customer": "Ada Größer", "items": [{"item_id": "ESPRES01", "quantity": 2}]}
        facts["order"] = call(caller, ("process_order", {"order_data": order}))[0]
    _failed_call(caller)
    with contextlib.suppress(AccessDenied):
        authenticate_blocking(slug, works[:-4] + "AAAA", address="192.0.2.7")
    return facts | {
        "slug": slug,
        "name": name,
        "time_zone": time_zone,
        "id": str(tenant.pk),
        "connections": {row.slug: row.settings for row in Connection.objects.for_tenant(tenant)},
        "members": members,
        "credentials": {"shared": shared, "personal": personal},
        "keys": {"works": works, "narrow": narrow, "revoked": ended},
        "goal": {
            name: goal[name] for name in ("id", "title", "description", "priority", "metadata", "created_at")
        },
        "tasks": [{"id": task["id"], "title": task["title"]} for task in made["tasks"]],
        "audit_rows": AuditEvent.objects.for_tenant(tenant).count(),
    }


def _failed_call(caller: Any) -> None:
    from connectors.pipeline import call_tool

    asyncio.run(call_tool(caller, "probe_fail", {"how": "conflict"}))


if __name__ == "__main__":
    print(json.dumps(run(fill)))
