"""The official SDK, behind one door: nothing else in the house imports ``mcp`` or ``mcp_types``.

Every method but two kinds goes through the SDK's transport-free kernel (``serve_one``): it
validates the request and the result against the schema of the version and adds what each
result carries. ``tools/call``, and the lists whose bytes are kept, use :func:`check_params`
and :func:`encode_tool_result`: the same validators and the same result without the kernel's
per-request machinery (a test compares the two on many inputs). Parts of the kernel are
marked provisional, hence the pin ``mcp>=2.3,<2.4``.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import anyio
import mcp_types as types
from django.conf import settings
from mcp.server.caching import CacheHint
from mcp.server.connection import Connection
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.runner import modern_error_data, serve_one
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    classify_inbound_request,
    decode_header_value,
    find_duplicated_routing_header,
    find_invalid_x_mcp_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
    x_mcp_header_map,
)
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types.methods import CACHEABLE_METHODS, CLIENT_REQUESTS, MONOLITH_REQUESTS
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION
from pydantic import ValidationError

from connectors.pipeline import TASKS_EXTENSION
from connectors.results import ToolResult
from mcp_endpoint import handlers, shapes
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import ProtocolError, dumps

HANDSHAKE_VERSIONS: Final = frozenset(HANDSHAKE_PROTOCOL_VERSIONS)
KNOWN_VERSIONS: Final = frozenset(KNOWN_PROTOCOL_VERSIONS)
METHODS: Final = frozenset(method for method, _ in CLIENT_REQUESTS)  # of all versions
NEWEST_HANDSHAKE_VERSION: Final = LATEST_HANDSHAKE_VERSION
# What a client that sends no version header speaks (specification of 2025-06-18 and later).
ASSUMED_VERSION: Final = types.DEFAULT_NEGOTIATED_VERSION
VERSION_KEY: Final = types.PROTOCOL_VERSION_META_KEY
CLIENT_INFO_KEY: Final = types.CLIENT_INFO_META_KEY
CAPABILITIES_KEY: Final = types.CLIENT_CAPABILITIES_META_KEY
LOG_LEVEL_KEY: Final = types.LOG_LEVEL_META_KEY
LIST_TTL_MS: Final = 30_000  # a permission that was taken away is enforced at once, shown within this
_CALL_PARAMS: Final = frozenset({"name", "arguments", "_meta"})
_PLAIN_PARAMS: Final = frozenset({"name", "arguments", "cursor", "_meta"})
PARAM_PREFIX: Final = b"mcp-param-"
_TASK_METHODS: Final = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
INTRODUCTIONS: Final = frozenset({"initialize", "server/discover"})
MAX_SAID = 3
MAX_VALID_METADATA = 4096  # distinct ones that were checked and found good
MAX_METADATA = 1000  # bytes

progress_token = progress_token_from_params


def _handler(method: str) -> Callable[[Any, Any], Awaitable[dict[str, Any]]]:
    run = handlers.HANDLERS[method]

    async def handle(ctx: Any, params: Any) -> dict[str, Any]:
        return await run(ctx.request)

    return handle


class _Server(Server[Any]):
    """A server that tells its clients of the handshake era, too, when a list changes."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        return super().create_initialization_options(
            notification_options or NotificationOptions(True, True, True),
            experimental_capabilities,
            extensions,
        )


async def _listen(ctx: Any, params: Any) -> Any:
    """Only says that the method is served; :mod:`mcp_endpoint.running` answers it without the kernel."""
    raise NotImplementedError


def make_server(instructions: str | None = None) -> Server[Any]:
    """The SDK's registry over our handlers; it costs microseconds, so it can be made per request."""
    h = _handler
    server = _Server(
        "portico",
        title="Portico",
        version=settings.PORTICO_VERSION,
        instructions=instructions,
        cache_hints={method: CacheHint(LIST_TTL_MS, "private") for method in CACHEABLE_METHODS},  # type: ignore[misc]
        on_list_tools=h("tools/list"),  # type: ignore[arg-type]
        on_call_tool=h("tools/call"),  # type: ignore[arg-type]
        on_list_resources=h("resources/list"),  # type: ignore[arg-type]
        on_list_resource_templates=h("resources/templates/list"),  # type: ignore[arg-type]
        on_read_resource=h("resources/read"),  # type: ignore[arg-type]
        on_list_prompts=h("prompts/list"),  # type: ignore[arg-type]
        on_get_prompt=h("prompts/get"),  # type: ignore[arg-type]
        on_completion=h("completion/complete"),  # type: ignore[arg-type]
        on_ping=h("ping"),  # type: ignore[arg-type]
        on_subscribe_resource=h("resources/subscribe"),  # type: ignore[arg-type]
        on_unsubscribe_resource=h("resources/unsubscribe"),  # type: ignore[arg-type]
        on_subscriptions_listen=_listen,
    )
    # The constructor's argument warns of its deprecation in 2026-07-28; older eras still call it.
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, h("logging/setLevel"))
    server.extensions[TASKS_EXTENSION] = {}
    server.middleware.clear()  # tracing spans: one place for both paths, not the kernel's alone
    return server


@lru_cache(maxsize=1)
def _server() -> Server[Any]:
    return make_server()


@dataclass(slots=True)
class _Dispatch:
    """The kernel's view of one HTTP request: no back-channel; notifications go through the turn's channel."""

    request_id: int | str
    message_metadata: Any
    transport: TransportContext = field(
        default_factory=lambda: TransportContext(kind="streamable-http", can_send_request=False)
    )
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)
    can_send_request: bool = False

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        return None

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        return None


async def serve(turn: Turn) -> dict[str, Any]:
    """A request's result by the kernel. Raises ProtocolError, and what the pipeline raises."""
    server = _server()
    if turn.method in INTRODUCTIONS:
        server = make_server(await handlers.instructions(turn))
    elif turn.method not in handlers.HANDLERS:  # before its shape: a subscription must not look half served
        raise method_not_found(turn.method, turn.version)
    meta = turn.params.get("_meta") if turn.modern else None
    meta = meta if isinstance(meta, dict) else {}
    connection = Connection.from_envelope(turn.version, meta.get(CLIENT_INFO_KEY), meta.get(CAPABILITIES_KEY))
    dispatch = _Dispatch(turn.id, ServerMessageMetadata(request_context=turn))
    try:
        return await serve_one(
            server, dispatch, turn.method, turn.params, connection=connection, lifespan_state=None
        )
    except ValidationError as error:
        raise _invalid_params(error) from None
    except MCPError as error:
        data = modern_error_data(error)
        if data.code == types.METHOD_NOT_FOUND:
            raise method_not_found(turn.method, turn.version) from None
        raise ProtocolError(data.code, data.message, data.data) from None


def method_not_found(method: str, version: str) -> ProtocolError:
    """The answer to a method that this version of the protocol, or this server, does not have."""
    method = method[:100]
    return ProtocolError(
        types.METHOD_NOT_FOUND, f"Method not found: this server has no {method} in {version}.", method
    )


def check_modern(message: Mapping[str, Any], headers: Mapping[str, str] | None) -> None:
    """The ladder of 2026-07-28: envelope, routing headers, version. Raises ProtocolError.

    ``headers`` is None where there is no HTTP request around each message.
    """
    verdict = classify_inbound_request(message, headers=headers)
    if isinstance(verdict, InboundLadderRejection):
        raise _rejected(verdict)
    if headers is not None and message["method"] in _TASK_METHODS:  # SEP-2663, "Routing Headers"
        task_id = message["params"].get("taskId")
        if task_id is not None and decode_header_value(headers.get("mcp-name")) != task_id:
            text = "mcp-name header does not match the request body's 'taskId' parameter"
            raise ProtocolError(types.HEADER_MISMATCH, text)


def check_modern_notification(version: str) -> None:
    """A notification of an unknown version is told so; raises ProtocolError."""
    rejection = unsupported_protocol_version_rejection(version)
    if rejection is not None:
        raise _rejected(rejection)


def check_duplicates(headers: list[tuple[str, str]]) -> None:
    """Refuse a routing header that came twice. Raises ProtocolError."""
    name = find_duplicated_routing_header(headers)
    if name is not None:
        raise ProtocolError(types.HEADER_MISMATCH, f"{name} header appears more than once")


def check_param_headers(
    schema: Mapping[str, Any], arguments: Mapping[str, Any], headers: "ManyHeaders"
) -> None:
    """Compare ``Mcp-Param-*`` headers with the arguments they mirror. Raises ProtocolError."""
    rejection = validate_mcp_param_headers(schema, arguments, headers)  # type: ignore[arg-type]
    if rejection is not None:
        raise _rejected(rejection)


def mirrors_headers(schema: Mapping[str, Any]) -> bool:
    """Whether a tool's schema has valid ``x-mcp-header`` annotations."""
    return find_invalid_x_mcp_header(schema) is None and bool(x_mcp_header_map(schema))


class ManyHeaders:
    """Header lines for the SDK's check, which looks at ``items()`` and must see duplicates."""

    def __init__(self, lines: list[tuple[bytes, bytes]]) -> None:
        self._lines = lines

    def items(self) -> list[tuple[str, str]]:
        """All lines, also those of one name."""
        return [(name.decode("latin-1"), value.decode("latin-1").strip(" \t")) for name, value in self._lines]


def check_params(method: str, version: str, message: Mapping[str, Any]) -> None:
    """What the kernel checks of a request's shape, against the same model. Raises ProtocolError."""
    seen = (
        _seen_metadata(version, message["params"]) if method == "tools/call" and "params" in message else None
    )
    if seen is not None and seen in _valid_metadata:
        return
    model = CLIENT_REQUESTS.get((method, version))
    if model is None:
        raise method_not_found(method, version)
    try:
        model.__pydantic_validator__.validate_python(message, by_name=False)
        params = message.get("params")
        if params is not None and not _PLAIN_PARAMS.issuperset(params):
            # The kernel's second model knows the members of all versions; only these can fail there.
            MONOLITH_REQUESTS[method].model_validate({"method": method, "params": params}, by_name=False)
    except ValidationError as error:
        raise _invalid_params(error) from None

    if seen is not None:
        if len(_valid_metadata) >= MAX_VALID_METADATA:
            _valid_metadata.clear()
        _valid_metadata.add(seen)


_valid_metadata: set[tuple[str, bytes]] = set()


def _seen_metadata(version: str, params: Any) -> tuple[str, bytes] | None:
    """What remains to be checked of an ordinary call: its metadata, which a client repeats word for word.

    None where something else is in the params or has the wrong type, or where the metadata
    is too long or changes with every call; then the model has the word.
    """
    if (
        type(params) is not dict
        or not _CALL_PARAMS.issuperset(params)
        or type(params.get("name")) is not str
        or type(params.get("arguments")) not in (dict, type(None))
    ):
        return None
    meta = params.get("_meta")
    if meta is not None and (type(meta) is not dict or "progressToken" in meta or "traceparent" in meta):
        return None
    text = dumps(meta)
    return (version, text) if len(text) < MAX_METADATA else None


@lru_cache(maxsize=1)
def _server_meta() -> dict[str, Any]:
    return {types.SERVER_INFO_META_KEY: _server().server_info_stamp}


def encode_tool_result(result: ToolResult, *, modern: bool) -> bytes:
    """The JSON of a ``tools/call`` result, equal to the kernel's."""
    made = shapes.tool_result(result, modern=modern)
    if modern:
        made["_meta"] = {**made["_meta"], **_server_meta()} if "_meta" in made else _server_meta()
    else:
        del made["resultType"]  # a word of 2026-07-28
    return dumps(made)


def encode_result(made: dict[str, Any]) -> bytes:
    """The JSON of a modern result that did not come from the kernel, with what every result carries."""
    return dumps({**made, "_meta": {**made.get("_meta", {}), **_server_meta()}})


def encode_modern(made: dict[str, Any]) -> bytes:
    """The JSON of a result of 2026-07-28 that did not pass the kernel."""
    return dumps({**made, "_meta": {**made.get("_meta", {}), **_server_meta()}})


def http_status(code: int, *, modern: bool) -> int:
    """The HTTP status of a JSON-RPC error of a dispatched request; the handshake era has 200."""
    return ERROR_CODE_HTTP_STATUS.get(code, 200) if modern else 200


def _rejected(rejection: InboundLadderRejection) -> ProtocolError:
    return ProtocolError(rejection.code, rejection.message, rejection.data)


def _invalid_params(error: ValidationError) -> ProtocolError:
    """Which member is wrong and how; never what was in it."""
    said = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_SAID]:
        steps = problem["loc"][1:] if problem["loc"][:1] == ("params",) else problem["loc"]
        where = ".".join(str(step)[:60] for step in steps) or "params"
        said.append(f"{where}: {problem['msg'][:200]}")
    return ProtocolError(types.INVALID_PARAMS, f"Invalid request parameters. {'; '.join(said)}")
