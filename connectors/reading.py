"""Reading: resources, prompts and completion, by the same catalogue and with the same audit as calls."""

import asyncio
import base64
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar
from uuid import UUID

import orjson
from django.conf import settings

from audit.events import ASKED, Event
from audit.services import event_of, record
from common.db import in_db
from common.writer import QueueFullError, WriterUnavailableError
from connectors.artifacts import artifact_get
from connectors.asking import CapabilityMissing, InputRequired
from connectors.base import PromptSpec, ResourceSpec
from connectors.channel import Channel
from connectors.context import CallContext
from connectors.deadlines import Deadline
from connectors.errors import (
    CircuitOpen,
    ConnectorError,
    InternalError,
    InvalidInput,
    NotFound,
    NotPermitted,
    RateLimited,
    TimedOut,
)
from connectors.limits import charge_reading, give_back, take_turn
from connectors.pipeline import (
    NO_CHANNEL,
    NO_INFO,
    CallInfo,
    ServiceUnavailable,
    catalogue,
)
from connectors.recording import record_cancelled, record_refused, said_of
from connectors.results import PromptMessage, ResourceContents, ResourceEntry, Text
from connectors.shape import MAX_CHARACTERS
from connectors.snapshot import ConnectionView
from tenants.principals import Caller

logger = logging.getLogger(__name__)
T = TypeVar("T")

FILE_URI = re.compile(r"portico://files/([0-9a-f-]{36})")
MAX_COMPLETIONS = 100
TURN_S = 1.0  # that a completion waits for its connection's turn


class ResourceNotFound(LookupError):
    """No such resource for this caller."""


class UnknownPrompt(LookupError):
    """No such prompt for this caller."""


class InvalidArguments(ValueError):
    """A prompt's arguments are missing or unknown; the message names them."""


async def list_resources(caller: Caller, *, info: CallInfo = NO_INFO) -> list[ResourceEntry]:
    """All resources that the caller may read: the static ones and what the listers find."""
    entries: list[ResourceEntry] = []
    for view, spec in (await catalogue(caller)).resources:
        if not spec.variables:
            entries.append(
                ResourceEntry(
                    view.exposed_uri(spec.uri), spec.name, spec.title, spec.description, spec.mime_type
                )
            )
        if spec.lister is None:
            continue
        lister = getattr(view.connector, spec.lister)
        context = _context(caller, view, NO_CHANNEL, info)
        try:
            await take_turn(caller, view, context.deadline)
            listed = await _guarded(context.discreet(lister(context), spec.uri), spec.uri)
        except ConnectorError as error:  # one system that is away must not hide the others' resources
            logger.warning("Resources of connection %s are not listed: %s", view.ref.slug, error.type)
            continue
        entries += [
            ResourceEntry(
                view.exposed_uri(entry.uri),
                entry.name,
                entry.title,
                entry.description,
                entry.mime_type or spec.mime_type,
                entry.size,
                entry.meta,
            )
            for entry in listed
        ]
    return sorted(entries, key=lambda entry: entry.uri)


async def read_resource(
    caller: Caller, uri: str, *, channel: Channel = NO_CHANNEL, info: CallInfo = NO_INFO
) -> list[ResourceContents]:
    """Read a resource by the URI that the lists show, or a file that a tool made.

    Raises :class:`ResourceNotFound`, :class:`connectors.pipeline.ServiceUnavailable` and
    ConnectorError when the system behind it fails.
    """
    if found := FILE_URI.fullmatch(uri):
        event = _event(caller, info, "read", uri, "")
        return await _recorded(event, _read_file(caller, uri, found.group(1)))
    for view, spec in (await catalogue(caller)).resources:
        variables = _variables(view, spec, uri)
        if variables is None:
            continue
        event = _event(caller, info, "read", uri, view.ref.slug)
        return await _recorded(event, _read(caller, view, spec, uri, variables, channel, info))
    await record_refused(caller, info, uri, "", "There is no such resource for this caller.")
    raise ResourceNotFound(uri)


async def get_prompt(
    caller: Caller,
    name: str,
    arguments: dict[str, str],
    *,
    channel: Channel = NO_CHANNEL,
    info: CallInfo = NO_INFO,
) -> tuple[str, list[PromptMessage]]:
    """A prompt's description and its messages. Raises UnknownPrompt and InvalidArguments."""
    found = (await catalogue(caller)).prompts.get(name)
    if found is None:
        await record_refused(caller, info, name, "", "There is no such prompt for this caller.")
        raise UnknownPrompt(name)
    view, spec = found
    event = _event(caller, info, "prompt", spec.name, view.ref.slug)
    event.arguments = arguments
    if problem := _argument_problem(spec, arguments):
        event.outcome, event.error_type, event.message = "error", InvalidInput.type, problem
        await _write(event, executed=False)
        raise InvalidArguments(problem)
    method = getattr(view.connector, spec.method)
    context = _context(caller, view, channel, info)
    said = await _recorded(event, _prompt(caller, view, context, method, spec.name, arguments))
    messages = [PromptMessage("user", Text(said))] if isinstance(said, str) else list(said)
    return spec.description, messages


def _argument_problem(spec: PromptSpec, arguments: dict[str, str]) -> str:
    """Which arguments are missing or unknown, as a sentence; empty where all is well."""
    missing = [a.name for a in spec.arguments if a.required and not arguments.get(a.name)]
    unknown = sorted(set(arguments) - {argument.name for argument in spec.arguments})
    said = [f"Missing: {', '.join(missing)}."] if missing else []
    return " ".join([*said, f"Unknown: {', '.join(unknown)}."] if unknown else said)


async def complete(
    caller: Caller,
    ref_kind: Literal["prompt", "resource"],
    ref: str,
    argument: str,
    value: str,
    context: dict[str, str],
    *,
    info: CallInfo = NO_INFO,
) -> list[str]:
    """Up to 100 values for an argument that begin as ``value`` does; empty where nothing is known."""
    own = await catalogue(caller)
    view: ConnectionView | None = None
    method = ""
    if ref_kind == "prompt" and ref in own.prompts:
        view, prompt_spec = own.prompts[ref]
        method = prompt_spec.complete.get(argument, "")
    elif ref_kind == "resource":
        for candidate, spec in own.templates:
            if candidate.exposed_uri(spec.uri) == ref:
                view, method = candidate, spec.complete.get(argument, "")
                break
    if view is None or not method:
        return []
    given = _context(caller, view, NO_CHANNEL, info)
    try:
        await take_turn(caller, view, time.monotonic() + TURN_S)
    except RateLimited:
        return []  # somebody types, and calls wait already
    work = getattr(view.connector, method)(given, value, context)
    values = await _guarded(given.discreet(work, ref), ref)
    return list(values)[:MAX_COMPLETIONS]


def _variables(view: ConnectionView, spec: ResourceSpec, uri: str) -> dict[str, str] | None:
    """The template's variables when the URI is of this resource, else None."""
    if not view.ref.is_primary:
        scheme, separator, rest = uri.partition("://")
        first, slash, rest = rest.partition("/")
        if not separator or not slash or first != view.ref.slug:
            return None
        uri = f"{scheme}://{rest}"
    match = spec.pattern.fullmatch(uri)
    return match.groupdict() if match else None


async def _read(
    caller: Caller,
    view: ConnectionView,
    spec: ResourceSpec,
    uri: str,
    variables: dict[str, str],
    channel: Channel,
    info: CallInfo,
) -> list[ResourceContents]:
    context = _context(caller, view, channel, info)
    method = getattr(view.connector, spec.method)
    value = await _charged(caller, view, context, lambda: context.discreet(method(context, **variables), uri))
    return _contents(uri, spec.mime_type, value)


async def _prompt(
    caller: Caller,
    view: ConnectionView,
    context: CallContext,
    method: Callable[..., Awaitable[Any]],
    name: str,
    arguments: dict[str, str],
) -> Any:
    def work() -> Awaitable[Any]:
        return context.discreet(method(context, **arguments), name)

    if view.connector.built_in:  # those have no system that a limit could protect
        return await work()
    return await _charged(caller, view, context, work)


async def _charged(
    caller: Caller, view: ConnectionView, context: CallContext, work: Callable[[], Awaitable[T]]
) -> T:
    """What the work gives; its debit is given back where the system could not be asked."""
    debit = await charge_reading(caller, view, context.deadline)
    try:
        return await work()
    except (RateLimited, CircuitOpen):
        if debit is not None and not context.sent:
            await give_back(debit)
        raise


def _contents(uri: str, mime_type: str, value: Any) -> list[ResourceContents]:
    if isinstance(value, ResourceContents):
        value = [value]
    if isinstance(value, list) and value and all(isinstance(part, ResourceContents) for part in value):
        return value
    if isinstance(value, bytes):
        return [ResourceContents(uri, mime_type, blob=base64.b64encode(value).decode())]
    if not isinstance(value, str):
        value = orjson.dumps(value, default=str).decode()
    return [ResourceContents(uri, mime_type, text=value[: MAX_CHARACTERS * 10])]


async def _read_file(caller: Caller, uri: str, file_id: str) -> list[ResourceContents]:
    try:
        row = await in_db(artifact_get, caller.tenant.id, UUID(file_id))
    except ValueError:
        row = None
    if row is None:
        raise NotFound("This file does not exist or its day is over.", hint="Make it again.")
    data = base64.b64encode(bytes(row.data)).decode()
    return [ResourceContents(uri, row.mime_type, blob=data, meta={"name": row.name})]


def _context(caller: Caller, view: ConnectionView, channel: Channel, info: CallInfo) -> CallContext:
    timeout = info.timeout or settings.PORTICO_CALL_TIMEOUT_S
    return CallContext(
        caller,
        view,
        channel,
        info.request_id,
        time.monotonic() + timeout,
        trace=info.trace,
        tokens=info.tokens,
    )


def _event(caller: Caller, info: CallInfo, kind: str, name: str, connection: str) -> Event:
    return event_of(
        caller, kind, name=name, connection=connection, request_id=info.request_id, trace_id=info.trace_id
    )


async def _guarded(work: Awaitable[T], what: str) -> T:
    """Run a connector's method with the deadline; its own mistakes become InternalError."""
    try:
        async with Deadline(settings.PORTICO_CALL_TIMEOUT_S):
            return await work
    except (ConnectorError, InputRequired, CapabilityMissing, ServiceUnavailable):
        raise
    except TimeoutError as error:
        raise TimedOut(f"{what} did not answer in time.", retryable=True) from error
    except Exception as error:
        logger.exception("reading %s failed", what, exc_info=error)
        raise InternalError(f"Reading {what} failed inside Portico.") from error


async def _recorded(event: Event, work: Awaitable[T]) -> T:
    """Do the work and write what happened, before the answer leaves."""
    started = time.perf_counter()
    failure: Exception | None = None
    result: T
    try:
        result = await _guarded(work, event.name)
    except ConnectorError as error:
        failure = error
        event.outcome, event.error_type, event.message = "error", error.type, error.message
        event.upstream_status = error.upstream_status
    except InputRequired as asked:
        event.outcome, event.message = ASKED, said_of(asked)
        failure = asked
    except CapabilityMissing as missing:
        event.outcome, event.error_type, event.message = "error", NotPermitted.type, str(missing)
        failure = missing
    except asyncio.CancelledError:
        record_cancelled(event, started)
        raise
    event.duration_us = int((time.perf_counter() - started) * 1_000_000)
    await _write(event, executed=event.outcome != ASKED)
    if isinstance(failure, NotFound):
        raise ResourceNotFound(event.name) from failure
    if failure is not None:
        raise failure
    return result


async def _write(event: Event, *, executed: bool) -> None:
    try:
        await record(event)
    except (WriterUnavailableError, QueueFullError) as error:
        raise ServiceUnavailable(executed=executed) from error
