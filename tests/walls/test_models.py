"""Every model, and every look across tenants, has its wall or a reason in a list here."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Manager

from common.models import TenantQuerySet, UnscopedQueryError

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("common", "audit", "tenants", "connectors", "mcp_endpoint", "platform/portico")

# Models without a tenant that is always there, and why that is right.
NO_TENANT = {
    "tenants.Tenant": "is the tenant itself",
    "tenants.ApiToken": "belongs to a user, as users belong to no tenant; its tenants narrow it",
    "tenants.IdempotentReply": "belongs to the principal or user in its owner column, encrypted for it",
    "audit.AuditArchive": "what is kept of a tenant after it was deleted, so no tenant can be named",
}
# Models whose tenant may be empty.
PLATFORM_TOO = {
    "audit.AuditEvent": "the platform has events and a chain of its own",
    "audit.AuditHead": "the head of the platform's chain",
    "audit.AuditCheckpoint": "checkpoints of the platform's chain",
    "audit.AuditAnchor": "the anchor of the platform's chain",
}
# Files that look across tenants, and why.
UNSCOPED = {
    "audit/chain.py": "finds rows of a batch by their hash, after an attempt whose answer was lost",
    "audit/checkpoints.py": "checkpoints every chain, by its name",
    "audit/moments.py": "finds a moment among the numbers of all chains",
    "audit/retention.py": "retention runs over every chain, by its name",
    "audit/selectors.py": "an outer reference within one chain, itself narrowed",
    "audit/verification.py": "verifies chains by name, those of deleted tenants too",
    "connectors/providers/goals/create.py": "finds goals of a batch by id, after a lost answer",
    "mcp_endpoint/long_tasks/tending.py": "tends and purges the tasks of all tenants, each by its row",
    "connectors/alerts/delivery.py": "claims the due alerts of all tenants, each by its row",
    "connectors/health/history.py": "purges the health history of all tenants after 35 days",
    "connectors/health/probing.py": "claims the due probes of all tenants, each by its row",
    "connectors/artifacts.py": "purges the files of all tenants whose day is over",
    "connectors/usage.py": "finds the tenants with uncounted events, and purges old counts of all",
    "connectors/warming.py": "claims the due warm-ups of all tenants, each by its row",
    "connectors/services/idempotent_calls.py": "purges the answers of all tenants whose time is over",
    "connectors/services/tokens.py": "finds the tokens of all tenants that end soon; each is renewed by its tenant",
    "tenants/key_cache.py": "a key's id is looked up before its tenant is known",
    "tenants/services/invitations.py": "an invitation is found by its secret, by somebody of no tenant yet",
    "tenants/services/members.py": "the tenants of one user, whose sign-in ends everywhere",
    "platform/portico/admin/base.py": "makes empty querysets, and asks whether a model has a wall",
    "platform/portico/admin/current.py": "the tenants of the user who signed in",
    "platform/portico/admin/home.py": "the platform's own page, for superusers",
    "platform/portico/admin/users.py": "the memberships of a user, on the superusers' page of users",
    "platform/portico/api/auth.py": "a key's id is looked up before its tenant is known",
    "platform/portico/api/health.py": "prefetched for tenants that are the caller's own",
    "platform/portico/api/metrics.py": "prefetched for tenants that are the caller's own",
    "platform/portico/doctor.py": "the operator's command checks every connection",
}

OURS = [
    model
    for model in apps.get_models()
    if (ROOT / model.__module__.replace(".", "/")).with_suffix(".py").exists()
    or model.__module__.startswith("portico")
]


def tenant_field(model):
    return next((field for field in model._meta.get_fields() if field.name == "tenant"), None)


def test_the_walk_sees_the_models():
    assert {"Connection", "Credential", "AccessKey", "AuditEvent", "Goal", "Order"} <= {
        model.__name__ for model in OURS
    }


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_every_model_belongs_to_a_tenant_or_says_why_not(model):
    label, field = model._meta.label, tenant_field(model)
    if label in NO_TENANT:
        assert field is None or label == "tenants.Tenant", f"{label} has a tenant now: take it off the list"
        return
    assert field is not None, f"{label} has no tenant; give it one or list it with its reason"
    assert field.many_to_one and field.related_model._meta.label == "tenants.Tenant"
    if label in PLATFORM_TOO:
        assert field.null, f"{label}'s tenant is never empty now: take it off the list"
    else:
        assert not field.null, f"{label}'s rows may lack their tenant"


@pytest.mark.parametrize(
    "model", [m for m in OURS if m._meta.label not in NO_TENANT], ids=lambda model: model._meta.label
)
def test_no_query_on_a_tenants_table_runs_without_a_tenant(model):
    assert isinstance(model.objects, Manager)
    assert isinstance(model.objects.all(), TenantQuerySet), f"{model._meta.label}.objects has no wall"
    for query in (list, lambda rows: rows.count(), lambda rows: rows.first(), lambda rows: rows.delete()):
        with pytest.raises(UnscopedQueryError):
            query(model.objects.all())


def test_the_lists_of_models_hold_nothing_stale():
    labels = {model._meta.label for model in OURS}
    assert set(NO_TENANT) | set(PLATFORM_TOO) <= labels


def sources():
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def looks_across(node, name):
    """Whether a piece of source uses a manager without a wall."""
    if isinstance(node, ast.Constant):
        return node.value == "unscoped" and not name.endswith("models.py")
    if not isinstance(node, ast.Attribute):
        return False
    if node.attr in ("_default_manager", "_base_manager"):
        return ast.unparse(node.value) not in (
            "get_user_model()",
            "User",
            "user_model",
        )  # users have no tenant
    return node.attr == "unscoped"


def test_every_look_across_tenants_is_in_a_file_that_is_listed_with_its_reason():
    using = {name for name, tree in sources() for node in ast.walk(tree) if looks_across(node, name)}
    assert using - set(UNSCOPED) == set(), "list the file with its reason, or name the tenant"
    assert set(UNSCOPED) - using == set(), "these look across tenants no more: take them off the list"


# Files with SQL of their own, which goes around the wall, and why.
RAW_SQL = {
    "audit/chain.py": "writes batches and moves heads; every row carries its tenant and chain",
    "common/writer.py": "settings of its own session, no table",
    "connectors/providers/goals/board.py": "stores tasks by their ids, read before from one tenant",
    "connectors/providers/goals/create.py": "counts and inserts with the tenant in every statement",
    "connectors/providers/restaurant/connector.py": "asks whether the database answers, no table",
    "connectors/providers/restaurant/sample.py": "inserts rows that carry their tenant",
    "platform/portico/health.py": "asks whether the database answers, no table",
    "platform/portico/invariants.py": "reads settings of the database, no table",
}


def test_every_file_with_sql_of_its_own_is_listed_with_its_reason():
    using = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (node.attr in ("cursor", "executemany", "execute", "raw") or node.attr == "RawSQL")
        and ast.unparse(node.value).split(".")[-1]
        in ("connection", "database", "cursor", "objects", "expressions")
    }
    assert using - set(RAW_SQL) == set(), "use the ORM, or list the file with its reason"
    assert set(RAW_SQL) - using == set(), "these have none any more: take them off the list"


# The endpoint's one table, of durable tasks, and the two files that read and write it.
TASK_ROWS = {
    f"mcp_endpoint/{name}.py"
    for name in ("models", "long_tasks/notices", "long_tasks/services", "long_tasks/tending")
}


def test_the_protocol_layer_knows_no_tables_but_that_of_its_tasks():
    for name, tree in sources():
        if not name.startswith("mcp_endpoint/") or name in TASK_ROWS:
            continue
        own = "mcp_endpoint.models" if name.startswith("mcp_endpoint/long_tasks/") else ""
        for node in ast.walk(tree):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                tables = module.endswith(".models") and not module.startswith("mcp.")
                assert module == own or not tables, f"{name} imports {module}"
                if isinstance(node, ast.ImportFrom) and module == "django.db":
                    # Errors to tell from others, and connections to close at the end of a command.
                    assert {alias.name for alias in node.names} <= {"Error", "connections"}, name
            assert not (isinstance(node, ast.Attribute) and node.attr in ("objects", "unscoped")), name
