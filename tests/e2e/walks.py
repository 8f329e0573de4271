"""One sensible use of every tool, as generators: they yield a call and are sent its structured answer.

Written this way, the same walk is driven by the Python client and by the inspector. A walk can
be repeated: it takes nothing for granted that an earlier one may have changed.
"""

import json
import uuid
from collections.abc import Generator
from datetime import date, timedelta
from typing import Any

Call = tuple[str, dict[str, Any]]
Walk = Generator[Call, Any, None]

# The names that clients and prompts already use.
REQUIRED = {
    "restaurant": {
        "get_sales_data", "update_inventory", "update_menu_item", "process_order", "get_analytics",
        "generate_report", "analyze_customer_feedback", "health_check", "expensive_operation",
    },
    "goals": {
        "create_goal", "break_down_goal", "get_goal", "list_goals", "update_goal", "delete_goal",
        "get_next_tasks", "get_task", "update_task_status", "delete_task", "generate_execution_plan",
        "batch_update_tasks", "batch_get_tasks", "get_agent_status",
    },
    "memory": {
        "cache_set", "cache_get", "cache_delete", "cache_exists", "cache_expire", "cache_ttl", "cache_keys",
        "cache_scan", "cache_mget", "cache_mset", "cache_incr", "cache_decr", "cache_flush", "cache_info",
        "cache_ping",
    },
}  # fmt: skip
ALL_NAMES = set().union(*REQUIRED.values())
assert [len(names) for names in REQUIRED.values()] == [9, 14, 15]


def a_year() -> dict[str, str]:
    """The last twelve months, the day before yesterday included in every time zone."""
    last = date.today() - timedelta(days=2)
    return {"start_date": str(last - timedelta(days=364)), "end_date": str(last)}


def restaurant() -> Walk:
    assert (yield "health_check", {})["status"] == "healthy"
    menu = yield "list_menu_items", {"limit": 3, "search": "pizza"}
    item = menu["items"][0]["item_id"]
    stock = yield "update_inventory", {"item_id": item, "quantity": 50}
    assert stock == {"item_id": item, "new_quantity": 50, "status": "updated"}
    changed = yield "update_menu_item", {"item_id": item, "updates": {"price": 13.5}}
    assert changed["status"] == "success" and changed["updated"] == {"price": 13.5}
    order = {"customer": "Ada", "location": "station", "items": [{"item_id": item, "quantity": 2}]}
    placed = yield "process_order", {"order_data": order}
    assert placed["status"] == "received" and placed["total"] == 27.0
    found = yield "get_order", {"order_id": placed["order_id"]}
    assert found["customer"] == "Ada"
    moved = yield "update_order_status", {"order_id": placed["order_id"], "status": "preparing"}
    assert moved["changed"] and moved["previous_status"] == "received"
    orders = yield "list_orders", {"date": found["date"], "status": "preparing", "limit": 100}
    assert placed["order_id"] in {row["order_id"] for row in orders["items"]}
    left = yield "list_inventory", {"limit": 100}
    assert {row["item_id"]: row["quantity"] for row in left["items"]}[item] <= 50
    said = yield "list_feedback", {"max_rating": 2, "limit": 1}
    read = yield "analyze_customer_feedback", {"feedback_id": said["items"][0]["feedback_id"]}
    assert read["sentiment"] and read["suggestions"]
    sales = yield "get_sales_data", {"date": a_year()["end_date"]}
    assert sales["date"] == a_year()["end_date"] and sales["location"]
    figures = yield "get_analytics", {"date_range": a_year()}
    assert figures["total_sales"] > 100_000
    report = yield "generate_report", {"report_type": "customer", "format": "excel", **a_year()}
    assert report["summary"] and report["download_url"].startswith("http")
    assert len((yield "expensive_operation", {"data": "soup"})["result"]) == 64


def goals() -> Walk:
    word = uuid.uuid4().hex[:8]
    goal = (yield "create_goal", {"description": f"Ship the shop {word}", "priority": "high"})["id"]
    subtasks = [
        {"id": "design", "description": f"Draw the {word} pages", "estimate": "1d"},
        {"id": "backend", "description": "Build the API", "dependencies": ["design"], "estimate": "3d"},
        {"id": "frontend", "description": "Build the pages", "dependencies": ["design"], "estimate": "2d"},
        {"id": "tests", "description": "Prove it", "dependencies": ["backend", "frontend"]},
    ]
    made = yield "break_down_goal", {"goal_id": goal, "subtasks": subtasks}
    design, backend, frontend, tests = [task["id"] for task in made["tasks"]]
    plan = yield "generate_execution_plan", {"goal_id": goal}
    assert [len(phase["tasks"]) for phase in plan["phases"]] == [1, 2, 1]
    docs = (yield "add_task", {"goal_id": goal, "description": "Write it down"})["id"]
    yield "add_task_dependency", {"task_id": docs, "depends_on": tests}
    checked = yield "validate_dependencies", {"goal_id": goal}
    assert checked["valid"]
    yield "remove_task_dependency", {"task_id": docs, "depends_on": tests}
    yield "update_task", {"task_id": docs, "title": "Documentation", "estimate": "4h"}
    ready = yield "get_next_tasks", {"goal_id": goal}
    assert {task["id"] for task in ready["items"]} == {design, docs}
    yield "claim_task", {"task_id": design, "agent": "ada", "lease_seconds": 60}
    yield "add_task_note", {"task_id": design, "note": "Ask the customers."}
    link = {"system": "jira", "external_id": "PROJ-101", "url": "https://jira.example.com/browse/PROJ-101"}
    yield "link_task", {"task_id": design, **link}
    yield "update_task_status", {"task_id": design, "status": "in_progress"}
    done = yield "update_task_status", {"task_id": design, "status": "completed", "result": "See the wiki."}
    assert {task if isinstance(task, str) else task["id"] for task in done["unblocked"]} == {
        backend,
        frontend,
    }
    task = yield "get_task", {"task_id": design}
    assert task["links"][0]["external_id"] == "PROJ-101" and task["notes"][0]["text"] == "Ask the customers."
    found = yield "search_tasks", {"query": f"draw {word}"}
    assert [row["id"] for row in found["items"]] == [design]
    updates = [{"task_id": backend, "status": "in_progress"}, {"task_id": frontend, "priority": "low"}]
    assert len((yield "batch_update_tasks", {"updates": updates})["tasks"]) == 2
    many = yield "batch_get_tasks", {"task_ids": [backend, tests]}
    assert [row["id"] for row in many["items"]] == [backend, tests]
    drawn = yield "export_goal", {"goal_id": goal, "format": "mermaid"}
    assert "graph" in json.dumps(drawn) or "flowchart" in json.dumps(drawn)
    yield "delete_task", {"task_id": docs}
    yield "update_goal", {"goal_id": goal, "title": "The new shop"}
    read = yield "get_goal", {"goal_id": goal, "include_tasks": True}
    assert read["title"] == "The new shop" and len(read["tasks"]) == 4
    listed = yield "list_goals", {"priority": "high", "limit": 5}
    assert goal in {row["id"] for row in listed["items"]}
    yield "get_agent_status", {}
    throwaway = (yield "create_goal", {"description": "Not to be kept"})["id"]
    yield "delete_goal", {"goal_id": throwaway}


def memory() -> Walk:
    key = f"walk:{uuid.uuid4().hex[:8]}"
    assert (yield "cache_ping", {})["ok"]
    stored = yield "cache_set", {"key": f"{key}:note", "value": {"text": "größer", "n": 2**53 - 1}}
    assert stored["stored"]
    assert (yield "cache_get", {"key": f"{key}:note"})["value"] == {"text": "größer", "n": 2**53 - 1}
    yield "cache_mset", {"data": {f"{key}:a": 1, f"{key}:b": [1, 2]}, "ttl": 600}
    assert (yield "cache_mget", {"keys": [f"{key}:a", f"{key}:c"]})["missing"] == [f"{key}:c"]
    assert (yield "cache_exists", {"keys": [f"{key}:a"]})["count"] == 1
    assert (yield "cache_incr", {"key": f"{key}:a", "amount": 4})["value"] == 5
    assert (yield "cache_decr", {"key": f"{key}:a"})["value"] == 4
    assert (yield "cache_get_or_set", {"key": f"{key}:a", "value": 0})["value"] == 4
    assert (yield "cache_append_list", {"key": f"{key}:b", "items": [3]})["length"] == 3
    assert (yield "cache_get_list", {"key": f"{key}:b", "start": -1})["items"] == [3]
    yield "cache_expire", {"key": f"{key}:a", "seconds": 300}
    assert 0 < (yield "cache_ttl", {"key": f"{key}:a"})["ttl"] <= 300
    yield "cache_touch", {"keys": [f"{key}:a"], "ttl": 900}
    assert (yield "cache_keys", {"pattern": f"{key}:*"})["items"] == [f"{key}:a", f"{key}:b", f"{key}:note"]
    assert (yield "cache_scan", {"match": f"{key}:*"})["count"] <= 3
    assert (yield "cache_delete", {"keys": [f"{key}:note"]})["deleted"] == 1
    assert (yield "cache_delete_pattern", {"pattern": f"{key}:*", "dry_run": True})["matched"] == 2
    assert (yield "cache_info", {})["keys"] >= 2
    assert (yield "cache_flush", {"confirm": True})["deleted"] >= 2


WALKS = {"restaurant": restaurant, "goals": goals, "memory": memory}
