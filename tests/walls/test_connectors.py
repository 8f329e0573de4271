"""Every connector comes with its tests, its page and its icon, and its tools do what their hints say."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.apps import apps

from common.db import in_db
from common.models import TenantModel
from common.redis import sync_client
from connectors.pipeline import call_tool
from connectors.providers.restaurant.models import Feedback, Order
from connectors.registry import BUILT_IN, connector_class
from tests.factories import make_caller, make_connection, make_tenant

ROOT = Path(__file__).resolve().parents[2]
BUILT = sorted(slug for slug, path in BUILT_IN.items() if path.startswith("connectors."))
READING = ("get", "list", "search", "find", "export", "analyze", "validate", "generate", "check", "ping")
DESTROYING = ("delete", "remove", "flush", "drop", "purge", "wipe")
WRITING = ("create", "add", "set", "update", "append", "claim", "link", "process", "touch", "expire", "incr")
# Names with a word that usually means something else.
EXCEPTIONS = {"cache_get_or_set", "jira_get_create_metadata", "jira_get_link_types"}
TOOLS = [(slug, name) for slug in BUILT for name in connector_class(slug).tools]


def test_every_folder_is_a_connector_and_every_connector_has_its_folder():
    folders = {
        path.name for path in (ROOT / "connectors/providers").iterdir() if (path / "connector.py").exists()
    }
    assert folders == set(BUILT)


@pytest.mark.parametrize("slug", BUILT)
def test_every_connector_has_tests_a_page_and_an_icon(slug):
    cls = connector_class(slug)
    assert list((ROOT / "tests/providers" / slug).glob("test_*.py"))
    page = (ROOT / f"docs/connectors/{slug}.md").read_text()
    missing = [name for name in cls.tools if not re.search(rf"(?<!\w){name}(?!\w)", page)]
    assert missing == [], f"docs/connectors/{slug}.md does not tell of them"
    assert slug in (ROOT / "docs/index.md").read_text() + (ROOT / "README.md").read_text()
    assert "icon" in vars(cls) and re.fullmatch(r"[a-z][a-z0-9_]+", cls.icon), "a Material symbol's name"


@pytest.mark.parametrize(("slug", "name"), TOOLS, ids=[name for _, name in TOOLS])
def test_a_tools_hints_agree_with_its_name(slug, name):
    spec = connector_class(slug).tools[name]
    words = set(name.split("_"))
    assert spec.hints.read_only == (spec.hint == "R") == (not spec.writes)
    assert not (spec.hints.read_only and spec.hints.destructive)
    if name not in EXCEPTIONS:
        if words & set(DESTROYING):
            assert spec.hints.destructive, "its name destroys, its hint does not"
        elif words & set(WRITING):
            assert spec.writes, "its name writes, its hint only reads"
        elif words & set(READING):
            assert spec.hints.read_only, "its name only reads, its hint does not"
    assert spec.hints.read_only or spec.toolset != "core", "what writes is switched on by its own toolset"
    assert spec.writes or spec.toolset not in ("write", "delete", "bulk", "admin")
    assert spec.description and spec.title


DAY = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
SAMPLES = {
    "restaurant": {
        "list_orders": {"date": DAY},
        "get_sales_data": {"date": DAY},
        "get_analytics": {"date_range": {"start_date": DAY, "end_date": DAY}},
        "generate_report": {"report_type": "sales", "start_date": DAY, "end_date": DAY},
        "expensive_operation": {"data": "x"},
    },
    "goals": {
        "get_goal": {"goal_id": "GOAL-0001"},
        "generate_execution_plan": {"goal_id": "GOAL-0001"},
        "validate_dependencies": {"goal_id": "GOAL-0001"},
        "export_goal": {"goal_id": "GOAL-0001"},
        "get_task": {"task_id": "TASK-0001"},
        "batch_get_tasks": {"task_ids": ["TASK-0001"]},
        "search_tasks": {"query": "x"},
    },
    "memory": {
        "cache_get": {"key": "a"},
        "cache_exists": {"keys": ["a"]},
        "cache_ttl": {"key": "a"},
        "cache_mget": {"keys": ["a", "b"]},
        "cache_get_list": {"key": "list"},
    },
}  # fmt: skip
# What a reading tool may leave: a file that it made, and the count of its own call limit.
LEFT_BEHIND = {"Artifact"}


# What calls leave in Redis whatever the tool: kept results, and counters of limits.
PLATFORMS_OWN = (b"cache", b"limit")


def contents(tenant):
    """Every row of a tenant outside its audit, and its keys in Redis but for the platform's own."""
    rows = {}
    for model in apps.get_models():
        if issubclass(model, TenantModel) and model.__name__ not in LEFT_BEHIND and not model._meta.proxy:
            rows[model._meta.label] = sorted(
                json.dumps(row, default=str) for row in model.objects.for_tenant(tenant).values()
            )
    client, kept = sync_client(), {}
    for key in client.scan_iter(f"portico:{tenant.pk.hex}:*"):
        if key.split(b":")[2] not in PLATFORMS_OWN:
            kept[key] = client.dump(key)
    return rows, kept


@pytest.mark.parametrize("slug", [slug for slug in BUILT if connector_class(slug).built_in])
async def test_tools_that_only_read_leave_everything_as_it_was(slug):
    tenant = await in_db(make_tenant)
    await in_db(make_connection, tenant, slug)
    caller = await in_db(make_caller, tenant)
    if slug == "goals":
        await call_tool(caller, "create_goal", {"description": "x"})
        await call_tool(caller, "add_task", {"goal_id": "GOAL-0001", "description": "x"})
    if slug == "memory":
        await call_tool(caller, "cache_mset", {"data": {"a": "1", "b": "2", "list": [1, 2]}})
    samples = dict(SAMPLES[slug])
    if slug == "restaurant":
        samples["get_order"] = {"order_id": (await in_db(Order.objects.for_tenant(tenant).first)).code}
        feedback = await in_db(Feedback.objects.for_tenant(tenant).first)
        samples["analyze_customer_feedback"] = {"feedback_id": feedback.code}
    before = await in_db(contents, tenant)
    assert any(before[0].values())
    for name, spec in connector_class(slug).tools.items():
        if not spec.writes:
            result = await call_tool(caller, name, samples.get(name, {}))
            assert not result.is_error, (name, result.content)
    assert await in_db(contents, tenant) == before, "a tool whose hint says that it reads has written"
