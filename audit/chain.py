"""Appending rows to the chains: lock the heads, number, seal, write, move the heads.

Runs in the writer thread (a batch of many calls) or inside a service's own transaction (one
row). Plain SQL over plain lists: this is the hot path. Heads are locked in the order of
their chains, so that two processes with the same chains never wait for each other crosswise.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from psycopg import ClientCursor

from audit.keys import chain_key, current_kid, seal
from audit.models import AuditEvent
from audit.rows import CALL_ID, CHAIN, COLUMNS, HASH, KID, SEQ, Row, seal_row

_TABLE = "audit_auditevent"
_COPY = f"COPY {_TABLE} ({', '.join(COLUMNS)}) FROM STDIN"
_LOCK = "SELECT chain, seq, hash FROM audit_audithead WHERE chain IN ({}) ORDER BY chain FOR NO KEY UPDATE"
_MOVE = "UPDATE audit_audithead SET seq = {}, hash = {}, key_ring_id = {}, mac = {} WHERE chain = {};"
_FIVE_MARKS = _MOVE.format(*["%s"] * 5)
_FEW = 8  # rows up to which one INSERT beats COPY and its round trips
# One statement per chunk: each statement hands the interpreter to the event loop and back.
_CHUNKS = (64, 16, 4, 1)


def write_rows(rows: Sequence[Row]) -> Sequence[int]:
    """Append rows to their chains inside the running transaction and return their numbers."""
    with connection.wrap_database_errors:
        return _append(rows)


def write_alone(rows: Sequence[Row]) -> Sequence[int]:
    """As :func:`write_rows`, in a transaction of its own: for a batch of nothing but audit rows.

    On PostgreSQL the transaction's begin and end travel with its first and last statement, and
    a few rows with the latter: each round trip hands the interpreter to the event loop and
    back, and a parameter costs the driver more than the text that we make of it.
    """
    if connection.vendor != "postgresql":
        with transaction.atomic():
            return write_rows(rows)
    raw, names = connection.connection, sorted({row[CHAIN] for row in rows})
    with connection.wrap_database_errors:
        try:
            with ClientCursor(raw) as cursor:
                cursor.execute("BEGIN;" + _LOCK.format(",".join(map(_literal, names))))
                cursor.nextset()
                heads = {chain: (seq, digest) for chain, seq, digest in cursor.fetchall()}
                if len(heads) == len(names):
                    moves = _seal(rows, names, heads)
                    last = "".join(_MOVE.format(*map(_literal, move)) for move in moves) + "COMMIT"
                    if len(rows) <= _FEW:
                        cursor.execute(_insert_text(rows) + last)
                    else:
                        _copy(cursor, rows)
                        cursor.execute(last)
                    return [row[SEQ] for row in rows]
        finally:
            raw.rollback()  # does nothing after the commit
    with transaction.atomic():  # a chain begins with its first row
        return write_rows(rows)


def find_rows(rows: Sequence[Row]) -> list[int | None]:
    """The numbers of rows that are in their chains already, None for the others.

    A row that was tried has its number and hash; the hash covers the row and all before it.
    """
    calls = {row[CALL_ID] for row in rows if row[HASH]}
    found = AuditEvent.unscoped.filter(call_id__in=calls).values_list("chain", "seq", "hash")
    written = set(found) if calls else set()
    return [row[SEQ] if (row[CHAIN], row[SEQ], row[HASH]) in written else None for row in rows]


def _append(rows: Sequence[Row]) -> list[int]:
    names = sorted({row[CHAIN] for row in rows})
    moves = _seal(rows, names, _lock_heads(names))
    if connection.vendor == "postgresql":
        _write_postgresql(rows, moves)
    else:
        _write_sqlite(rows, moves)
    return [row[SEQ] for row in rows]


def _lock_heads(names: list[str]) -> dict[str, tuple[int, str]]:
    heads = _select_heads(names)
    if len(heads) < len(names):
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO audit_audithead (chain, tenant_id, seq, hash, key_ring_id, mac) "
                "VALUES (%s, %s, 0, '', '', '') ON CONFLICT (chain) DO NOTHING",
                [(name, None if len(name) < 32 else name) for name in names if name not in heads],
            )
        heads = _select_heads(names)
    return heads


def _select_heads(names: list[str]) -> dict[str, tuple[int, str]]:
    raw = connection.connection
    if connection.vendor == "postgresql":
        with ClientCursor(raw) as cursor:
            cursor.execute(_LOCK.format(_marks(names)), names)
            return {chain: (seq, digest) for chain, seq, digest in cursor.fetchall()}
    marks = ",".join("?" * len(names))  # the transaction is IMMEDIATE: it holds the write lock already
    found = raw.execute(f"SELECT chain, seq, hash FROM audit_audithead WHERE chain IN ({marks})", names)  # noqa: S608
    return {chain: (seq, digest) for chain, seq, digest in found}


def _seal(rows: Sequence[Row], names: list[str], heads: dict[str, tuple[int, str]]) -> list[tuple[Any, ...]]:
    """Number and hash the rows; the heads as they are to be stored."""
    for row in rows:
        seq, previous = heads[row[CHAIN]]
        row[SEQ] = seq + 1
        row[HASH] = seal_row(row, previous, chain_key(row[KID]))
        heads[row[CHAIN]] = (seq + 1, row[HASH])
    return _moves(names, heads)


def _marks(names: list[str]) -> str:
    return ",".join(["%s"] * len(names))


def _moves(names: list[str], heads: dict[str, tuple[int, str]]) -> list[tuple[Any, ...]]:
    kid = current_kid()
    return [(*heads[name], kid, seal(kid, "head", name, *heads[name]), name) for name in names]


def _write_postgresql(rows: Sequence[Row], moves: list[tuple[Any, ...]]) -> None:
    with ClientCursor(connection.connection) as cursor:
        _copy(cursor, rows)
        _move(cursor, moves)


def _copy(cursor: "ClientCursor[Any]", rows: Sequence[Row]) -> None:
    with cursor.copy(_COPY) as copy:
        copy.write("".join(map(_copy_line, rows)))


def _move(cursor: "ClientCursor[Any]", moves: list[tuple[Any, ...]]) -> None:
    """Move the heads, all of them in one round trip."""
    cursor.execute(_FIVE_MARKS * len(moves), [value for move in moves for value in move])


def _insert_text(rows: Sequence[Row]) -> str:
    values = ",".join(f"({','.join(map(_literal, row))})" for row in rows)
    return f"INSERT INTO {_TABLE} ({', '.join(COLUMNS)}) VALUES {values};"  # noqa: S608  see _literal


def _literal(value: Any) -> str:
    """A text, integer or null as PostgreSQL reads it.

    Doubling the quote is all that a text needs while ``standard_conforming_strings`` is on,
    which the writer's connection sets; rows hold no NUL (PostgreSQL manual, "String Constants").
    """
    if isinstance(value, str):  # members of enumerations are texts too
        return "'" + str(value).replace("'", "''") + "'"
    return "NULL" if value is None else str(int(value))


def _write_sqlite(rows: Sequence[Row], moves: list[tuple[Any, ...]]) -> None:
    raw = connection.connection
    start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            values = [value for row in rows[start : start + size] for value in row]
            raw.execute(_insert_sql(size), values)
            start += size
    raw.executemany(_MOVE.format(*"?????"), moves)


@lru_cache(maxsize=8)
def _insert_sql(rows: int) -> str:
    marks = f"({','.join('?' * len(COLUMNS))})"
    return f"INSERT INTO {_TABLE} ({','.join(COLUMNS)}) VALUES {','.join([marks] * rows)}"  # noqa: S608


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _copy_line(row: Row) -> str:
    """One line of COPY's text format (PostgreSQL manual, COPY, "Text Format")."""
    values = [str(value) if value is not None else "\\N" for value in row]
    line = "\t".join(values)
    if (
        line.count("\t") == len(COLUMNS) - 1
        and "\n" not in line
        and "\r" not in line
        and line.count("\\") == (row[2] is None)
    ):
        return line + "\n"
    return "\t".join("\\N" if value is None else str(value).translate(_ESCAPES) for value in row) + "\n"


def head_is_sealed(chain: str, seq: int, digest: str, kid: str, mac: str) -> bool:
    """Whether a head's own seal fits, so that it was not moved by hand."""
    return seal(kid, "head", chain, seq, digest) == mac
