"""A goal with its plan as one text: Markdown for people, Mermaid for a picture, JSON for programs."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson

from connectors.providers.goals.models import Goal, Task
from connectors.providers.goals.planning import plan_record
from connectors.providers.goals.records import PlanTask, Scope, goal_record, progress_of, task_id, task_record
from connectors.providers.goals.selectors import load_goal, load_plan_tasks, load_tasks
from connectors.providers.goals.states import State

MIME_TYPES = {"markdown": "text/markdown", "mermaid": "text/vnd.mermaid", "json": "application/json"}
_MARKS = {State.COMPLETED: "x", State.CANCELLED: "-"}


def goal_export(scope: Scope, goal: str, form: str) -> dict[str, Any]:
    """The goal, its tasks and phases in one of the three forms."""
    row = load_goal(scope, goal)
    if form == "markdown":
        text = as_markdown(row, load_tasks(scope, row))
    elif form == "mermaid":
        text = as_mermaid(row, load_plan_tasks(scope, row))
    else:
        tasks = load_tasks(scope, row)
        record = goal_record(row, scope, progress_of(task.status for task in tasks))
        full = {"goal": record, "tasks": [task_record(task, row.number) for task in tasks]}
        text = orjson.dumps({**full, "plan": plan_record(row, tasks)}).decode()
    return {"goal_id": row.public_id, "format": form, "mime_type": MIME_TYPES[form], "text": text}


def as_markdown(goal: Goal, tasks: Sequence[Task]) -> str:
    """A document with a check list per phase, each task with its links to other systems."""
    plan = plan_record(goal, tasks)
    by_id = {task.public_id: task for task in tasks}
    progress = plan["progress"]
    lines = [
        f"# {goal.public_id}: {goal.title}",
        "",
        f"{goal.status}, {progress['completed']} of {progress['tasks']} tasks done, "
        f"{_hours(plan['total_hours'])} of work, at least {_hours(plan['critical_path']['hours'])} in a row",
        "",
        goal.description,
    ]
    for phase in plan["phases"]:
        lines += ["", f"## Phase {phase['phase']}{' (in parallel)' if phase['parallel'] else ''}", ""]
        lines += [_check_line(by_id[line["id"]]) for line in phase["tasks"]]
    cancelled = [task for task in tasks if task.status == State.CANCELLED]
    if cancelled:
        lines += ["", "## Cancelled", "", *map(_check_line, cancelled)]
    return "\n".join(lines) + "\n"


def _check_line(task: Task) -> str:
    notes = [] if task.status in _MARKS else [str(task.status)]
    if task.estimate is not None:
        notes.append(_hours(task.estimate))
    if task.dependencies:
        notes.append("after " + ", ".join(map(task_id, task.dependencies)))
    notes += [_link(link) for link in task.links]
    return f"- [{_MARKS.get(State(task.status), ' ')}] {task.public_id} {task.title}" + (
        f" ({'; '.join(notes)})" if notes else ""
    )


def _link(link: dict[str, str]) -> str:
    """A counterpart elsewhere; neither its id nor its address ends the link early."""
    text = re.sub(r"([\\\[\]])", r"\\\1", link["external_id"])
    address = re.sub(r"[()<>\\]", lambda found: quote(found[0], safe=""), link["url"])
    return f"[{text}]({address})"


def as_mermaid(goal: Goal, tasks: Sequence[PlanTask]) -> str:
    """A flow chart: an arrow from each task to those that wait for it, coloured by state."""
    known = {task.number for task in tasks}
    lines = [
        "---",
        f"title: {orjson.dumps(f'{goal.public_id}: {goal.title}').decode()}",
        "---",
        "flowchart LR",
    ]
    lines += [
        f'  T{task.number}["{task.public_id}<br/>{_label(task.title)}"]:::{task.status}' for task in tasks
    ]
    lines += [f"  T{n} --> T{task.number}" for task in tasks for n in task.dependencies if n in known]
    lines += [
        "  classDef completed fill:#d1fae5,stroke:#059669",
        "  classDef in_progress fill:#dbeafe,stroke:#2563eb",
        "  classDef ready fill:#fef9c3,stroke:#ca8a04",
        "  classDef pending fill:#f3f4f6,stroke:#6b7280",
        "  classDef blocked fill:#ffedd5,stroke:#ea580c",
        "  classDef failed fill:#fee2e2,stroke:#dc2626",
        "  classDef cancelled fill:#f3f4f6,stroke:#d1d5db,color:#9ca3af",
    ]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    """A title within Mermaid's quotes, where the entity code of a character is ``#name;``."""
    codes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "&": "#amp;"}
    return "".join(codes.get(character, character) for character in text)


def _hours(value: float) -> str:
    return f"{value:g} h"
