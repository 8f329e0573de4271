"""Creating goals by group commit: many callers, one number range, one insert, one commit.

This is the one write of this connector that agents do in bursts, so it goes through the
process's writer instead of a transaction of its own. Raw SQL, since building model
instances costs more than the rest of the call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from common.writer import writer
from connectors.providers.goals.models import Counter, Goal
from connectors.providers.goals.states import State

KIND = "goals.create"


@dataclass(frozen=True, slots=True)
class NewGoal:
    """A goal to be written: clean values, JSON already as text."""

    tenant_id: UUID
    connection_id: UUID
    title: str
    description: str
    priority: int
    repos: str
    metadata: str
    created_by: str
    now: datetime


def take_numbers(tenant_id: UUID, connection_id: UUID, kind: str, count: int) -> int:
    """Reserve ``count`` numbers in the running transaction; returns the first.

    One statement that also makes the missing counter. Its row lock is held until the commit, so
    the numbers are gapless: a rollback gives them back before anybody else can take more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [_uuid(uuid4()), _uuid(tenant_id), _uuid(connection_id), kind, count])
        return int(cursor.fetchone()[0]) - count + 1


def write_goals(payloads: Sequence[NewGoal]) -> list[int]:
    """Insert goals in the running transaction; returns their numbers in order.

    Counters are locked in ascending order of the connection's id: two workers never wait for
    each other in a circle.
    """
    by_connection: dict[UUID, list[int]] = {}
    for index, payload in enumerate(payloads):
        by_connection.setdefault(payload.connection_id, []).append(index)
    numbers = [0] * len(payloads)
    rows: list[tuple[Any, ...]] = []
    time = connection.ops.adapt_datetimefield_value
    for connection_id in sorted(by_connection):
        indexes = by_connection[connection_id]
        first = take_numbers(payloads[indexes[0]].tenant_id, connection_id, "goal", len(indexes))
        for number, index in enumerate(indexes, first):
            new = payloads[index]
            numbers[index] = number
            now = time(new.now)
            rows.append(
                (
                    _uuid(uuid4()), _uuid(new.tenant_id), _uuid(connection_id), number, new.title,
                    new.description, new.priority, State.PENDING.value, new.repos, new.metadata,
                    new.created_by, 1, now, now,
                )
            )  # fmt: skip
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            values = ", ".join([_ROW] * len(rows))
            cursor.execute(_INSERT + values, [value for row in rows for value in row])
        else:
            cursor.executemany(_INSERT + _ROW, rows)
    return numbers


def _uuid(value: UUID) -> Any:
    return value if connection.features.has_native_uuid_field else value.hex


_COLUMNS = (
    "id", "tenant_id", "connection_id", "number", "title", "description", "priority", "status",
    "repos", "metadata", "created_by", "version", "created_at", "updated_at",
)  # fmt: skip
_ROW = f"({', '.join(['%s'] * len(_COLUMNS))})"
_INSERT = f"INSERT INTO {Goal._meta.db_table} ({', '.join(_COLUMNS)}) VALUES "  # noqa: S608  own names only
_TABLE = Counter._meta.db_table
_COUNT = (
    f"INSERT INTO {_TABLE} (id, tenant_id, connection_id, kind, value) VALUES (%s, %s, %s, %s, %s) "  # noqa: S608
    f"ON CONFLICT (connection_id, kind) DO UPDATE SET value = {_TABLE}.value + excluded.value RETURNING value"
)

writer.register(KIND, write_goals, order=10)
