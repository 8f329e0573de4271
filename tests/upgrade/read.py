"""Upgrades an older database to today's schema and reads what its facts (on standard input) say."""

import asyncio
import json
import sys
from typing import Any

from tests.upgrade.program import call, run


def read(facts: dict[str, Any]) -> None:
    """Raises AssertionError at the first thing that is not as it was."""
    from django.contrib.auth import authenticate

    from audit.verification import all_chains, verify
    from common.keyring import ring
    from portico.health import pending_migrations
    from portico.invariants import key_problems
    from tenants.models import Tenant
    from tenants.services.tokens import api_token_find

    assert not pending_migrations() and not key_problems(), key_problems()
    assert set(Tenant.objects.values_list("slug", flat=True)) == {t["slug"] for t in facts["tenants"]}
    assert authenticate(**facts["password"]) is not None
    token = api_token_find(facts["api_token"]["secret"])
    assert token is not None and str(token.pk) == facts["api_token"]["id"]
    for tenant in facts["tenants"]:
        _credentials(tenant)
        _access(tenant, others=[t for t in facts["tenants"] if t is not tenant])
        _configuration(tenant)
        _work(tenant)
    chains = set(all_chains())
    assert chains >= {"platform"} | {t["id"].replace("-", "") for t in facts["tenants"]}
    for chain in chains:  # with the rows that reading has added behind the old ones
        report = verify(chain)
        assert report.ok and report.rows, (chain, report.problem)
    assert ring().kids


def _access(facts: dict[str, Any], others: list[dict[str, Any]]) -> None:
    from tenants.access import AccessDenied, authenticate_blocking

    caller = _caller(facts)
    assert (caller.principal_name, caller.role) == ("agent", "operator")
    refused = [(facts["slug"], facts["keys"]["revoked"])]
    refused += [(other["slug"], facts["keys"]["works"]) for other in others]
    for slug, secret in refused:
        try:
            authenticate_blocking(slug, secret, address="127.0.0.1")
        except AccessDenied:
            continue
        raise AssertionError(f"a key that was refused opens {slug}")


def _caller(facts: dict[str, Any], key: str = "works") -> Any:
    from tenants.access import authenticate_blocking

    return authenticate_blocking(facts["slug"], facts["keys"][key], address="127.0.0.1")


def _configuration(facts: dict[str, Any]) -> None:
    from connectors.models import Connection, ToolPermission
    from tenants.models import Invitation, Membership, Tenant

    tenant = Tenant.objects.get(slug=facts["slug"])
    for name in ("id", "name", "time_zone"):
        assert str(getattr(tenant, name)) == facts[name], name
    members = Membership.objects.for_tenant(tenant).values_list("user__username", "role")
    assert dict(members) == facts["members"]
    invited = Invitation.objects.for_tenant(tenant).get(email=f"guest@{facts['slug']}.example")
    assert invited.role == "viewer"
    stored = {row.slug: row.settings for row in Connection.objects.for_tenant(tenant)}
    assert set(stored) == set(facts["connections"])
    for slug, settings in facts["connections"].items():
        assert stored[slug].items() >= settings.items(), slug
    rule = ToolPermission.objects.for_tenant(tenant).get(role="viewer")
    assert (rule.allow, rule.deny) == (["*:*"], ["probe:probe_rows"])
    listed = _listed(_caller(facts))
    assert {"probe_delete", "create_goal", "cache_get"} <= listed  # the first was switched on
    narrow = _listed(_caller(facts, "narrow"))
    assert "get_goal" in narrow and not narrow & {"create_goal", "cache_get", "probe_echo"}


def _listed(caller: Any) -> set[str]:
    from connectors.pipeline import catalogue

    return {entry.name for entry in asyncio.run(catalogue(caller)).tools}


def _credentials(facts: dict[str, Any]) -> None:
    from common.vault import decrypt
    from connectors.context import CREDENTIAL_PURPOSE
    from connectors.models import Connection, Credential
    from connectors.services import credential_fields
    from tenants.models import Tenant

    tenant = Tenant.objects.get(slug=facts["slug"])
    rows = Credential.objects.for_tenant(tenant).filter(connection__slug="probe", kind="settings")
    for name, personal in (("shared", False), ("personal", True)):
        row = rows.get(principal__isnull=not personal)
        plain = json.loads(decrypt(tenant, row.pk, CREDENTIAL_PURPOSE, row.ciphertext))
        assert plain == facts["credentials"][name]
    assert credential_fields(Connection.objects.for_tenant(tenant).get(slug="probe")) == ["token", "user"]
    (seen,) = call(_caller(facts), ("probe_credential", {}))  # as a connector reads it
    token = facts["credentials"]["shared"]["token"]
    assert seen == {"user": facts["credentials"]["shared"]["user"], "length": len(token)}


def _work(facts: dict[str, Any]) -> None:
    from audit.models import AuditEvent
    from connectors.models import Artifact
    from tenants.models import Tenant

    caller = _caller(facts)
    goal, task, added = call(
        caller,
        ("get_goal", {"goal_id": facts["goal"]["id"]}),
        ("get_task", {"task_id": facts["tasks"][0]["id"]}),
        ("create_goal", {"description": "Go on after the upgrade"}),
    )
    assert {name: goal[name] for name in facts["goal"]} == facts["goal"]
    assert (task["title"], task["status"]) == (facts["tasks"][0]["title"], "in_progress")
    assert added["id"] == "GOAL-0002", "ids go on where they were"
    if "order" in facts:
        (order,) = call(caller, ("get_order", {"order_id": facts["order"]["order_id"]}))
        assert (order["customer"], order["total"]) == ("Ada Größer", facts["order"]["total"])
    tenant = Tenant.objects.get(slug=facts["slug"])
    assert bytes(Artifact.objects.for_tenant(tenant).get().data) == b"hello"
    rows = AuditEvent.objects.for_tenant(tenant)
    assert rows.count() > facts["audit_rows"]
    assert rows.filter(name="create_goal", outcome="ok").exists()
    assert rows.filter(name="probe_fail", outcome="error", error_type="conflict").exists()
    assert not rows.filter(arguments__contains="never-to-be-kept").exists()


if __name__ == "__main__":
    known = json.load(sys.stdin)
    run(lambda: read(known))
