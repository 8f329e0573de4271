"""Under which key a call's result is kept, for how long, and which writes end it."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from connectors.context import CallContext
from connectors.models import Connection
from connectors.snapshot import ConnectionView
from connectors.specs import ToolSpec

# How long results of each class are kept. E is to be asked for again until the system says that
# nothing has changed; a connector that can ask so says it itself, and all others get the default.
SECONDS: Final[Mapping[str, int]] = {"-": 0, "S": 30, "M": 300, "L": 3600, "E": 300}
EVERYTHING: Final = "*"  # the mark of all of a tenant's results
MAX_WAYS: Final = 20_000
MAX_TAGS: Final = 200
_NAMES: Final = re.compile(r"{(\w+)}")
_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True)
class Way:
    """What is the same for all calls of one tool of one connection."""

    spec: ToolSpec
    version: int
    time_zone: str
    ttl_s: int
    prefix: Any  # a hash object, copied for each key
    defaults: Mapping[str, Any]


class Plan:
    """Where one call's result is kept; ``arguments`` are complete and canonical."""

    __slots__ = ("__dict__", "arguments", "key", "spec", "ttl_s", "view")

    def __init__(
        self, view: ConnectionView, spec: ToolSpec, ttl_s: int, key: bytes, arguments: dict[str, Any]
    ) -> None:
        self.view = view
        self.spec = spec
        self.ttl_s = ttl_s
        self.key = key
        self.arguments = arguments

    @property
    def tenant_id(self) -> UUID:
        """Whose result it is."""
        return self.view.ref.tenant_id

    @cached_property
    def member(self) -> str:
        """The key's name within its tenant; the connection comes first, so that all of it can be found."""
        return f"{self.view.ref.id.hex}:{self.key.hex()}"

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """What ends the result when it is forgotten: everything, its connection, and :attr:`own_marks`."""
        return (EVERYTHING, connection_mark(self.view.ref.id), *self.own_marks)

    @property
    def own_marks(self) -> tuple[str, ...]:
        """The marks of its tags, or of having none."""
        connection_id = self.view.ref.id
        tags = tags_of(self.spec, self.arguments) or ()
        return tuple(tag_mark(connection_id, tag) for tag in tags) or (untagged_mark(connection_id),)


_ways: dict[tuple[UUID, str], Way] = {}


def planned(
    view: ConnectionView, spec: ToolSpec, context: CallContext, arguments: Mapping[str, Any]
) -> Plan | None:
    """How a reading tool's result is kept; None where it is not.

    Secrets among the arguments forbid it, and so does acting for somebody whose personal
    credential would be needed: nobody reads with another person's, not even what it once read.
    """
    way = _ways.get((view.ref.id, spec.name))
    if (
        way is None
        or way.spec is not spec
        or way.version != view.ref.version
        or way.time_zone != view.ref.time_zone
    ):
        way = _way(view, spec)
    if not way.ttl_s or (view.credential_mode == Connection.CredentialMode.PRINCIPAL and _stands_in(context)):
        return None
    try:
        canonical = {**way.defaults, **{name: plain_numbers(value) for name, value in arguments.items()}}
        text = orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):  # more digits or levels than the writer takes
        return None
    digest = way.prefix.copy()
    digest.update(context.identity.encode() + b"\0" + text)
    return Plan(view, spec, way.ttl_s, digest.digest(), canonical)


def _stands_in(context: CallContext) -> bool:
    caller = context.caller
    return caller.actor is not None and caller.actor.principal_id != caller.principal_id


def _way(view: ConnectionView, spec: ToolSpec) -> Way:
    """Compile; also what an admin set for the connection, whose version changes with it."""
    ref = view.ref
    ttl = SECONDS[spec.cache]
    if ttl and view.cache.ttl_s is not None:
        ttl = view.cache.ttl_s
    if ttl or spec.cache != "-":
        ttl = view.cache.tools.get(spec.name, ttl)
    if spec.writes or spec.secret_arguments or not view.cache.enabled:
        ttl = 0
    parts = [
        ref.tenant_id.hex, ref.id.hex, ref.version, view.connector_slug, view.connector.version,
        ref.time_zone, spec.name,
    ]  # fmt: skip
    prefix = hashlib.sha256(orjson.dumps(parts) + b"\0")
    way = Way(spec, ref.version, ref.time_zone, ttl, prefix, defaults_of(spec.arguments))
    if len(_ways) >= MAX_WAYS:
        _ways.clear()
    _ways[ref.id, spec.name] = way
    return way


def defaults_of(model: type[BaseModel]) -> dict[str, Any]:
    """The arguments that a call may leave out, as JSON; not those whose default is made anew each time."""
    found = {}
    for name, info in model.model_fields.items():
        if info.default is PydanticUndefined:
            continue
        alias = info.validation_alias or info.alias or name
        if not isinstance(alias, str):
            continue
        try:
            found[alias] = plain_numbers(to_jsonable_python(info.default))
        except ValueError:
            continue
    return found


def plain_numbers(value: Any) -> Any:
    """The value with whole floats as integers: JSON does not tell 5.0 from 5, so equal calls are equal.

    Raises ValueError for what is no number in JSON.
    """
    kind = type(value)
    if kind is float:
        if not math.isfinite(value):
            raise ValueError("no number in JSON")
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if kind is dict:
        return {name: plain_numbers(part) for name, part in value.items()}
    if kind is list:
        return [plain_numbers(part) for part in value]
    return value


def tags_of(spec: ToolSpec, arguments: Mapping[str, Any]) -> tuple[str, ...] | None:
    """A call's tags; None where one of them cannot be made, since its argument is missing or no plain value.

    A list gives a tag for each of its members; beyond :data:`MAX_TAGS` there are none, which
    forgets more than it must and never less.
    """
    found: list[str] = []
    for template in spec.tags:
        rendered = _rendered(template, arguments)
        if not rendered:
            return None
        found += rendered
    return tuple(found) if len(found) <= MAX_TAGS else None


def _rendered(template: str, arguments: Mapping[str, Any]) -> list[str]:
    texts = [""]
    for place, part in enumerate(_NAMES.split(template)):
        values: Any = part
        if place % 2:  # a name between two pieces of text
            values = arguments.get(part)
        values = values if isinstance(values, list) else [values]
        if not all(isinstance(value, str | int | float) for value in values):
            return []
        if len(texts) * len(values) > MAX_TAGS:
            return []
        texts = [f"{text}{value}" for text in texts for value in values]
    return texts


def written_marks(view: ConnectionView, spec: ToolSpec, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """What a call of a writing tool ends: results of its tags and those without tags, or all of its connection."""
    connection_id = view.ref.id
    complete = {**defaults_of(spec.arguments), **{k: plain_numbers(v) for k, v in arguments.items()}}
    tags = tags_of(spec, complete)
    if not tags:
        return (connection_mark(connection_id),)
    return (untagged_mark(connection_id), *(tag_mark(connection_id, tag) for tag in tags))


def connection_mark(connection_id: UUID) -> str:
    """The mark of all results of a connection."""
    return f"{connection_id.hex}:{EVERYTHING}"


def untagged_mark(connection_id: UUID) -> str:
    """The mark of a connection's results that have no tag."""
    return f"{connection_id.hex}:-"


def tag_mark(connection_id: UUID, tag: str) -> str:
    """The mark of a tag, which may have an argument in it: hashed, since marks lie in Redis in the clear."""
    return hashlib.sha256(connection_id.bytes + tag.encode(errors="surrogatepass")).hexdigest()[:40]
