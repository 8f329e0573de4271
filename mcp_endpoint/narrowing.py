"""What a request says beside its message: which part of the tools it wants, and tokens that it brings.

Read after authentication alone: a stranger's request is answered the same, whatever it names.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from django.db import Error as DatabaseError
from pydantic import SecretStr

from connectors.selection import BadSelection, UnknownEndpoint, selection_of
from connectors.snapshot import TenantGoneError, snapshot_of
from connectors.tokens import Tokens, named
from mcp_endpoint.inbound import Inbound
from mcp_endpoint.wire import INVALID_PARAMS, INVALID_REQUEST, ProtocolError, stranger, unavailable
from tenants import access
from tenants.principals import Caller

HEADER: Final = b"x-mcp-toolsets"  # as GitHub's server calls it
MAX_TOKEN: Final = 8192  # bytes
_BEFORE, _AFTER = b"x-", b"-token"


async def narrowed(caller: Caller, request: Inbound) -> Caller:
    """The caller with the selection of its request. Raises ProtocolError with 400 or 404."""
    lines = [value for name, value in request.lines if name == HEADER]
    header = b",".join(lines) if lines else None
    try:
        snapshot = await snapshot_of(caller.tenant.id)
        selection = selection_of(snapshot, request.endpoint, request.query, header)
    except BadSelection as error:
        raise ProtocolError(INVALID_PARAMS, str(error), status=400) from None
    except UnknownEndpoint:
        raise ProtocolError(
            INVALID_REQUEST,
            f"There is no endpoint {quote(request.endpoint[:40])} here, or it is switched off. The tenant's own "
            f"is /t/{caller.tenant.slug}/mcp.",
            status=404,
        ) from None
    except TenantGoneError:
        raise stranger(access.AccessDenied.PUBLIC) from None
    except DatabaseError:
        raise unavailable("Portico's database is not available. Try again in a moment.") from None
    return caller if selection is None else replace(caller, selection=selection)


def tokens_of(headers: Mapping[bytes, bytes], lines: list[tuple[bytes, bytes]] | None) -> Tokens | None:
    """The tokens of systems that came in ``X-<name>-Token`` headers, by name; None where there are none.

    Raises ProtocolError with 400 for a value that no header may have, and for one that came twice.
    """
    # An ordinary request has none, and pays for this one look alone.
    return _read(headers, lines) if _AFTER in b" ".join(headers) else None


def _read(headers: Mapping[bytes, bytes], lines: list[tuple[bytes, bytes]] | None) -> Tokens | None:
    found: dict[str, SecretStr] = {}
    for header, value in headers.items():
        if not header.startswith(_BEFORE) or not header.endswith(_AFTER) or len(header) < 9:
            continue
        shown = header.decode("latin-1")[:60]
        if lines is not None and sum(1 for name, _ in lines if name == header) > 1:
            raise ProtocolError(INVALID_REQUEST, f"The header {shown} came more than once.", status=400)
        if len(value) > MAX_TOKEN:
            text = f"The header {shown} is longer than {MAX_TOKEN:,} bytes."
            raise ProtocolError(INVALID_REQUEST, text, status=400)
        token = value.strip(b" \t")
        if any(byte < 0x21 or byte > 0x7E for byte in token):
            text = f"The header {shown} has a character that no token has."
            raise ProtocolError(INVALID_REQUEST, text, status=400)
        if token:
            name = named(header[len(_BEFORE) : -len(_AFTER)].decode("latin-1"))
            found[name] = SecretStr(token.decode("ascii"))
    return found or None
