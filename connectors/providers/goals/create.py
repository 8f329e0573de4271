"""Creating goals by group commit: many callers, one number range, one insert, one commit.

This is the one write of this connector that agents do in bursts, so it goes through the
process's writer instead of a transaction of its own. Raw SQL, since building model
instances costs more than the rest of the call.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import orjson
from django.db import connection, transaction

from common.writer import writer
from connectors.providers.goals.models import Counter, Goal
from connectors.providers.goals.states import State

KIND = "goals.create"


class NewGoal(NamedTuple):
    """A goal to be written: clean values, JSON already as text."""

    tenant_id: UUID
    connection_id: UUID
    title: str
    description: str
    priority: int
    repos: str
    metadata: str
    created_by: str
    id: UUID


def take_numbers(tenant_id: UUID, connection_id: UUID, kind: str, count: int) -> int:
    """Reserve ``count`` numbers in the running transaction; returns the first.

    One statement that also makes the missing counter. Its row lock is held until the commit, so
    the numbers are gapless: a rollback gives them back before anybody else can take more.
    """
    key = _key_maker()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [key(uuid4()), key(tenant_id), key(connection_id), kind, count])
        return int(cursor.fetchone()[0]) - count + 1


def write_goals(payloads: Sequence[NewGoal]) -> list[tuple[int, datetime]]:
    """Insert goals in the running transaction; returns each one's number and time, in order.

    Counters are locked in ascending order of the connection's id: two workers never wait for
    each other in a circle. A batch has one time: that of its writing.
    """
    by_connection: dict[UUID, list[int]] = {}
    for index, payload in enumerate(payloads):
        by_connection.setdefault(payload.connection_id, []).append(index)
    now = datetime.now(UTC)
    written: list[tuple[int, datetime]] = [(0, now)] * len(payloads)
    rows: list[tuple[Any, ...]] = []
    key = _key_maker()
    time = connection.ops.adapt_datetimefield_value(now)
    for connection_id in sorted(by_connection):
        indexes = by_connection[connection_id]
        tenant_id = payloads[indexes[0]].tenant_id
        first = take_numbers(tenant_id, connection_id, "goal", len(indexes))
        tenant_key, connection_key = key(tenant_id), key(connection_id)
        for number, index in enumerate(indexes, first):
            new = payloads[index]
            written[index] = (number, now)
            rows.append(
                (
                    key(new.id), tenant_key, connection_key, number, new.title, new.description, new.priority,
                    State.PENDING.value, new.repos, new.metadata, new.created_by, 1, time, time,
                )
            )  # fmt: skip
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_INSERT_ALL, [_as_json(rows)])
        else:
            cursor.executemany(_INSERT_ONE, rows)
    return written


def write_goals_alone(payloads: Sequence[NewGoal]) -> list[tuple[int, datetime]]:
    """As :func:`write_goals`, in a transaction of its own: for a batch of nothing but goals.

    On PostgreSQL the goals of one connection take their numbers and are inserted in a single
    statement, which is a transaction by itself.
    """
    tenant_id, connection_id = payloads[0].tenant_id, payloads[0].connection_id
    if connection.vendor != "postgresql" or any(new.connection_id != connection_id for new in payloads):
        with transaction.atomic():
            return write_goals(payloads)
    now = datetime.now(UTC)
    rows = [
        (
            new.id, tenant_id, connection_id, place, new.title, new.description, new.priority,
            State.PENDING.value, new.repos, new.metadata, new.created_by, 1, now, now,
        )
        for place, new in enumerate(payloads, 1)
    ]  # fmt: skip
    count = len(rows)
    with connection.cursor() as cursor:
        cursor.execute(
            _NUMBER_AND_INSERT, [uuid4(), tenant_id, connection_id, "goal", count, count, _as_json(rows)]
        )
        first = min(number for (number,) in cursor.fetchall())
    return [(first + place, now) for place in range(count)]


def find_goals(payloads: Sequence[NewGoal]) -> list[tuple[int, datetime] | None]:
    """The number and time of goals that are there already, None for the others."""
    rows = Goal.unscoped.filter(pk__in=[new.id for new in payloads])
    found = {pk: (number, at) for pk, number, at in rows.values_list("pk", "number", "created_at")}
    return [found.get(new.id) for new in payloads]


def _key_maker() -> Callable[[UUID], Any]:
    """How this database takes a UUID."""
    return _same if connection.features.has_native_uuid_field else _hex


def _same(value: UUID) -> UUID:
    return value


def _hex(value: UUID) -> str:
    return value.hex


def _as_json(rows: Sequence[tuple[Any, ...]]) -> str:
    """All rows as one parameter: a parameter per value costs PostgreSQL's driver more than the insert."""
    named = (dict(zip(_COLUMNS, row, strict=True)) for row in rows)
    return orjson.dumps(
        [
            {**row, "repos": orjson.Fragment(row["repos"]), "metadata": orjson.Fragment(row["metadata"])}
            for row in named
        ]
    ).decode()


_TYPES = {
    "id": "uuid", "tenant_id": "uuid", "connection_id": "uuid", "number": "bigint", "title": "text",
    "description": "text", "priority": "smallint", "status": "text", "repos": "jsonb", "metadata": "jsonb",
    "created_by": "text", "version": "integer", "created_at": "timestamptz", "updated_at": "timestamptz",
}  # fmt: skip
_COLUMNS = tuple(_TYPES)
_INTO = f"INSERT INTO {Goal._meta.db_table} ({', '.join(_COLUMNS)})"
_INSERT_ONE = f"{_INTO} VALUES ({', '.join(['%s'] * len(_COLUMNS))})"
_INSERT_ALL = (
    f"{_INTO} SELECT {', '.join(_COLUMNS)} FROM jsonb_to_recordset(%s::jsonb) "  # noqa: S608  own names only
    f"AS new({', '.join(f'{name} {kind}' for name, kind in _TYPES.items())})"
)
_TABLE = Counter._meta.db_table
_COUNT = (
    f"INSERT INTO {_TABLE} (id, tenant_id, connection_id, kind, value) VALUES (%s, %s, %s, %s, %s) "  # noqa: S608
    f"ON CONFLICT (connection_id, kind) DO UPDATE SET value = {_TABLE}.value + excluded.value RETURNING value"
)
_NUMBER_AND_INSERT = (
    f"WITH taken AS ({_COUNT}) {_INTO} SELECT "  # noqa: S608  own names only
    f"{', '.join('taken.value - %s + new.number' if name == 'number' else f'new.{name}' for name in _COLUMNS)} "
    f"FROM taken, jsonb_to_recordset(%s::jsonb) "
    f"AS new({', '.join(f'{name} {kind}' for name, kind in _TYPES.items())}) RETURNING number"
)

writer.register(KIND, write_goals, order=10, alone=write_goals_alone, find=find_goals)
