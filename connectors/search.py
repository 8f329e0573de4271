"""Ranked full-text search over tools: SQLite's FTS5, in memory, one small index per list of tools.

What is found depends on the list alone, so callers with the same catalogue share an index.
Indexes are built when somebody searches, and the least recently used ones are dropped.
"""

import re
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing

from connectors.snapshot import ToolEntry

MAX_INDEXES = 64
MAX_WORDS = 32  # of a query; more say nothing new
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_CREATE = """
    CREATE VIRTUAL TABLE tools USING fts5(
        name, title, description, arguments, connection, tokenize = 'porter unicode61'
    )"""
_INSERT = "INSERT INTO tools(name, title, description, arguments, connection) VALUES (?, ?, ?, ?, ?)"
# The numbers say how much a hit counts in each of the columns.
_SELECT = """
    SELECT rowid, bm25(tools, 4.0, 3.0, 1.0, 0.7, 1.5) AS rank FROM tools
    WHERE tools MATCH ? ORDER BY rank, rowid LIMIT ?"""


class ToolIndex:
    """A full-text index over some tools, searched from any thread."""

    def __init__(self, tools: Sequence[ToolEntry]) -> None:
        self._names = [entry.name for entry in tools]
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        with self._db:
            self._db.execute(_CREATE)
            self._db.executemany(_INSERT, (_row(entry) for entry in tools))

    def search(self, query: str, limit: int) -> list[str]:
        """Exposed names of the tools that match any word of the query, the best first."""
        words = list(dict.fromkeys(_words(query)))[:MAX_WORDS]
        if not words:
            return []
        found = self._match([f'"{word}"' for word in words], limit)
        return found or self._match([f'"{word}"*' for word in words if len(word) > 2], limit)

    def _match(self, terms: list[str], limit: int) -> list[str]:
        if not terms:
            return []
        with self._lock:
            rows = self._db.execute(_SELECT, (" OR ".join(terms), limit)).fetchall()
        return [self._names[rowid - 1] for rowid, _ in rows]


def has_full_text_search() -> bool:
    """Whether this Python's SQLite was built with FTS5."""
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute(_CREATE)
        except sqlite3.OperationalError:
            return False
    return True


def _row(entry: ToolEntry) -> tuple[str, str, str, str, str]:
    spec, view = entry.spec, entry.connection
    properties = spec.input_schema.get("properties") or {}
    arguments = " ".join(
        f"{name} {sub.get('description', '') if isinstance(sub, dict) else ''}"
        for name, sub in properties.items()
    )
    where = f"{view.ref.slug} {view.ref.name} {view.connector_slug} {spec.toolset}"
    texts = (entry.name, spec.title, spec.description, arguments, where)
    return tuple(" ".join(_words(text)) for text in texts)  # type: ignore[return-value]


def _words(text: str) -> list[str]:
    """The words of a text; ``get_issue`` and ``getIssue`` have two."""
    return [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text))]


_indexes: OrderedDict[str, ToolIndex] = OrderedDict()
_lock = threading.Lock()


def index_of(digest: str, tools: Sequence[ToolEntry]) -> ToolIndex:
    """The index of a list of tools, which ``digest`` stands for; built at its first use. Blocks."""
    with _lock:
        found = _indexes.get(digest)
        if found is not None:
            _indexes.move_to_end(digest)
            return found
    made = ToolIndex(tools)
    with _lock:
        _indexes[digest] = made
        _indexes.move_to_end(digest)
        while len(_indexes) > MAX_INDEXES:
            _indexes.popitem(last=False)
    return made
