"""What goes over the wire between a client and a double: requests, answers, small helpers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

JSON = "application/json"


@dataclass
class Request:
    """A request as it came in. ``headers`` have lowercase names, ``path`` is as it was sent (quoted).

    The double fills in what it found out: ``route``'s path parameters (unquoted) and the account.
    """

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    body: bytes
    base_url: str = ""  # scheme, host and port as the client knows them
    parameters: dict[str, str] = field(default_factory=dict)
    account: Any = None

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The query's values by name, in order."""
        return parse_qs(self.query_string, keep_blank_values=True)

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return self.query.get(name, [default])[-1]

    def number(self, name: str, default: int) -> int:
        """A query parameter as a number; the default where it is absent or none."""
        text = self.one(name)
        return int(text) if text.lstrip("-").isdigit() else default

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None where it is empty or none."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None

    @property
    def content_type(self) -> str:
        """The body's media type with its parameters."""
        return self.headers.get("content-type", "")

    def __repr__(self) -> str:  # never the headers: a test's output is no place for tokens
        return f"<{self.method} {unquote(self.path)}>"


@dataclass
class Answer:
    """An answer: ``json`` or raw ``body``."""

    status: int = 200
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    @property
    def payload(self) -> bytes:
        """The body's bytes."""
        if self.body is not None:
            return self.body
        return b"" if self.json is None else json.dumps(self.json).encode()

    def all_headers(self) -> dict[str, str]:
        """The headers as they are sent, with lowercase names and without framing."""
        found = {name.lower(): value for name, value in self.headers.items()}
        if self.json is not None:
            found.setdefault("content-type", f"{JSON};charset=UTF-8")
        return found
