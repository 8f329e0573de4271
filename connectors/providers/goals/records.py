"""Rows as the plain records that clients get, and the small parsing that goes the other way."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from common.text import clean_text
from connectors.errors import InvalidInput
from connectors.providers.goals.models import Goal, Priority, Task, TaskNote, public_id
from connectors.providers.goals.states import State
from connectors.providers.goals.types import MAX_JSON

# How long a copy of a record in a memory tool is worth keeping. The store itself keeps it for good.
COPY_LIFETIME = timedelta(days=7)
PRIORITY_NAMES: Mapping[int, str] = {p.value: str(p.label) for p in Priority}
PRIORITY_NUMBERS: Mapping[str, int] = {name: number for number, name in PRIORITY_NAMES.items()}
_HOURS = {"m": 1 / 60, "h": 1.0, "d": 8.0, "w": 40.0}
_DURATION = re.compile(
    r"^\s*(\d{1,6}(?:\.\d{1,4})?)\s*"
    r"(?:(m)(?:ins?|inutes?)?|(h)(?:rs?|ours?)?|(d)(?:ays?)?|(w)(?:ks?|eeks?)?)\s*$",
    re.IGNORECASE,
)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # not the text backslash, u, 0000
_ANSWER = 58_000  # characters of rows in one answer, which holds 60,000 in all


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows: the tenant and connection, and the principal who asks."""

    tenant_id: UUID
    connection_id: UUID
    principal_id: UUID
    principal_name: str = ""
    uri_prefix: str = "goal://"

    @property
    def keys(self) -> dict[str, UUID]:
        """The filter that every query of this connector carries."""
        return {"tenant_id": self.tenant_id, "connection_id": self.connection_id}


class PlanTask(NamedTuple):
    """What a plan needs to know of a task."""

    number: int
    title: str
    status: str
    priority: int
    estimate: float | None
    dependencies: list[int]

    @property
    def public_id(self) -> str:
        """The id that clients know."""
        return task_id(self.number)


def number_of(text: str) -> int:
    """``GOAL-0007`` or ``TASK-0007`` as 7; the pattern was checked before."""
    return int(text.rpartition("-")[2])


def task_id(number: int) -> str:
    """7 as ``TASK-0007``."""
    return public_id(Task.PREFIX, number)


def goal_id(number: int) -> str:
    """7 as ``GOAL-0007``."""
    return public_id(Goal.PREFIX, number)


@lru_cache(maxsize=256)  # rows that were written together share their times
def moment(value: datetime) -> str:
    """A time as text in UTC, to the millisecond."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def cache_status(kind: str, public: str, now: datetime) -> dict[str, Any]:
    """The record is stored; under which key, and until when, a model may keep its own copy."""
    return {"stored": True, "key": f"{kind}:{public}", "expires": _expiry(now)}


@lru_cache(maxsize=64)
def _expiry(now: datetime) -> str:
    return moment(now + COPY_LIFETIME)


def hours(value: float | str | None) -> float | None:
    """An estimate in hours. Raises :class:`InvalidInput` for text that is none."""
    if value is None or isinstance(value, (int, float)):
        return None if value is None else float(value)
    found = _DURATION.match(value)
    try:
        if found:
            unit = next(unit for unit in found.groups()[1:] if unit)
            number = round(float(found[1]) * _HOURS[unit.lower()], 4)
        else:
            number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100_000:  # also refuses nan
        raise InvalidInput(f"{value!r} is no estimate.", hint="Write hours as a number, or 30m, 4h, 2d, 1w.")
    return number


def title_of(title: str | None, description: str) -> str:
    """The given title in one line, or the description's first line, cut to 120 characters."""
    text = " ".join(title.split()) if title else ""
    if not text:
        text = " ".join(next((line for line in description.splitlines() if line.strip()), "").split())[:120]
    if not text:
        raise InvalidInput("The description is empty.", hint="Say in a sentence what is to be reached.")
    return clean_text(text, 200)


def described(text: str) -> str:
    """A description that can be stored. Raises :class:`InvalidInput` for one that says nothing."""
    text = clean_text(text, 10_000)
    if not text.strip():
        raise InvalidInput("The description is empty.", hint="Say in a sentence what is to be reached.")
    return text


def json_text(value: Any, what: str) -> str:
    """A JSON value as compact text that both databases take; bounded."""
    try:
        data = orjson.dumps(value)
    except TypeError as error:
        raise InvalidInput(
            f"{what} holds something that cannot be stored: {error}.", hint="Use plain text and numbers."
        ) from None
    if len(data) > MAX_JSON:
        raise InvalidInput(
            f"{what} has {len(data)} bytes; at most {MAX_JSON} are kept.", hint="Keep a link instead."
        )
    if _NUL.search(data):
        raise InvalidInput(f"{what} holds a NUL character, which cannot be stored.", hint="Remove it.")
    return data.decode()


def checked_json(value: Any, what: str) -> Any:
    """The value itself, once it is known that it can be stored."""
    json_text(value, what)
    return value


def pick(record: dict[str, Any], fields: Iterable[str] | None) -> dict[str, Any]:
    """Only the asked fields of a record, and always its id."""
    if not fields:
        return record
    wanted = {"id", *fields}
    return {key: value for key, value in record.items() if key in wanted}


def check_fields(fields: Iterable[str] | None, shape: Any) -> None:
    """Raise :class:`InvalidInput` for a field that records of this shape never have."""
    unknown = [name for name in fields or () if name not in shape.__annotations__]
    if unknown:
        raise InvalidInput(
            f"There is no field {', '.join(map(repr, unknown))}.",
            hint=f"Fields: {', '.join(shape.__annotations__)}.",
        )


def fitting(rows: Sequence[dict[str, Any]], room: int = _ANSWER) -> int:
    """How many of the rows, from the first, an answer has room for; at least one of those there are.

    What is more would be cut by the pipeline, and whoever goes on with the next page would miss it.
    """
    for count, row in enumerate(rows):
        room -= len(orjson.dumps(row)) + 1
        if room < 0:
            return max(1, count)
    return len(rows)


def shortened(record: dict[str, Any], lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The record, in which the tasks' ``lines`` lose their details where it is too long for an answer.

    First all but the ids, states and beginnings of titles, then the titles: all tasks of a goal
    are named, however many it has.
    """
    for longest in (60, 0):
        if len(orjson.dumps(record)) <= _ANSWER:
            break
        for line in lines:
            title = line["title"][:longest]
            kept = {"id": line["id"], "title": title, "status": line["status"]}
            line.clear()
            line.update(compact(kept))
    return record


def compact(record: dict[str, Any]) -> dict[str, Any]:
    """The record without empty values."""
    return {key: value for key, value in record.items() if value is not None and value not in ([], {}, "")}


def goal_record(goal: Goal, scope: Scope, progress: dict[str, int] | None = None) -> dict[str, Any]:
    """A goal as clients see it."""
    return {
        "id": goal.public_id,
        "title": goal.title,
        "description": goal.description,
        "status": str(goal.status),
        "priority": PRIORITY_NAMES[goal.priority],
        "repos": goal.repos,
        "metadata": goal.metadata,
        "progress": progress or progress_of([]),
        "created_by": goal.created_by,
        "version": goal.version,
        "created_at": moment(goal.created_at),
        "updated_at": moment(goal.updated_at),
        "url": f"{scope.uri_prefix}{goal.public_id}",
    }


def task_record(task: Task, goal_number: int) -> dict[str, Any]:
    """A task as clients see it; a lease that ran out is not shown."""
    lease = None
    if task.lease_expires_at is not None and task.lease_expires_at > datetime.now(UTC):
        lease = {"agent": task.lease_agent, "expires": moment(task.lease_expires_at)}
    return compact(
        {
            "id": task.public_id,
            "goal_id": goal_id(goal_number),
            "title": task.title,
            "description": task.description if task.description != task.title else None,
            "status": str(task.status),
            "priority": PRIORITY_NAMES[task.priority],
            "estimate": task.estimate,
            "dependencies": [task_id(number) for number in task.dependencies],
            "result": task.result,
            "links": task.links,
            "lease": lease,
            "version": task.version,
            "created_at": moment(task.created_at),
            "updated_at": moment(task.updated_at),
            "started_at": task.started_at and moment(task.started_at),
            "finished_at": task.finished_at and moment(task.finished_at),
        }
    )


def task_line(task: PlanTask | Task) -> dict[str, Any]:
    """A task in short, for lists within a goal or plan."""
    return compact(
        {
            "id": task.public_id,
            "title": task.title,
            "status": str(task.status),
            "priority": PRIORITY_NAMES[task.priority],
            "estimate": task.estimate,
            "dependencies": [task_id(number) for number in task.dependencies],
        }
    )


def with_notes(record: dict[str, Any], notes: Sequence[TaskNote]) -> dict[str, Any]:
    """A task's record with its notes, the oldest first; where they are too long, with the newest of them."""
    if not notes:
        return record
    newest = [note_record(note) for note in reversed(notes)]
    shown = fitting(newest, _ANSWER - len(orjson.dumps(record)))
    omitted = {"notes_omitted": len(newest) - shown} if shown < len(newest) else {}
    return {**record, "notes": newest[:shown][::-1], **omitted}


def note_record(note: TaskNote) -> dict[str, str]:
    """A note as clients see it."""
    return {"text": note.text, "author": note.author, "created_at": moment(note.created_at)}


def progress_of(states: Iterable[str]) -> dict[str, int]:
    """How far a goal with tasks in these states is."""
    counted = [state for state in states if state != State.CANCELLED]
    done = sum(state == State.COMPLETED for state in counted)
    return {"tasks": len(counted), "completed": done, "percent": 100 * done // len(counted) if counted else 0}
