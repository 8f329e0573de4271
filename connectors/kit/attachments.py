"""Files on their way in and out of tools: by content or by link, never by a path on the server."""

import base64
import binascii
import mimetypes
import re
import secrets
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from common.db import in_db
from connectors.artifacts import MAX_BYTES, artifact_get
from connectors.calling import Context
from connectors.errors import InvalidInput, NotFound
from connectors.kit.tidy import visible
from connectors.results import Image, ResourceLink, Text, ToolResult

MAX_BASE64: Final = -(-MAX_BYTES // 3) * 4
MAX_NAME: Final = 200  # characters; file systems end at 255 bytes
INLINE_TEXT: Final = 20_000  # characters of a text file that come with the answer
INLINE_IMAGE: Final = 256 * 1024  # bytes

FileName = Annotated[str, Field(min_length=1, max_length=MAX_NAME, description="The file's name.")]
Base64 = Annotated[
    str, Field(min_length=1, max_length=MAX_BASE64 + 4096, description="The file's content in base64.")
]
FileText = Annotated[
    str, Field(min_length=1, max_length=MAX_BYTES, description="The content of a text file.")
]
FileUri = Annotated[
    str,
    Field(
        pattern=r"^portico://files/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="A file that a tool made, such as an attachment: its uri.",
    ),
]

_TEXTUAL = re.compile(
    r"text/|application/(json|xml|yaml|x-yaml|toml|sql|javascript|x-sh|x-ndjson)\b|[^;]+\+(json|xml)\b"
)
_PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')
# Names that Windows keeps for devices, with any ending.
_DEVICE = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$")


def file_bytes(content_base64: str, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of an argument in base64 (either alphabet, with or without padding or a data: head).

    Raises InvalidInput for what is no base64, empty, or larger than ``max_bytes``.
    """
    text = content_base64.strip()
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise _no_base64()
    text = re.sub(r"\s+", "", text).rstrip("=").replace("-", "+").replace("_", "/")
    if len(text) * 3 // 4 > max_bytes:
        raise _too_large(max_bytes)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _no_base64() from None
    if not data:
        raise InvalidInput("The file is empty.", code="empty_file")
    return data


def _too_large(max_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"The file has more than {max_bytes:,} bytes.",
        code="file_too_large",
        hint="Send a smaller file, or put it where it can be linked to.",
    )


def _no_base64() -> InvalidInput:
    return InvalidInput(
        "content_base64 is not base64.", code="bad_base64", hint="Encode the file's bytes, not its path."
    )


async def given_bytes(
    ctx: Context,
    *,
    content_base64: str | None = None,
    text: str | None = None,
    file_uri: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> bytes:
    """The bytes of a file that a call gives in one of three ways; never by a path or another address.

    ``file_uri`` names a file that a tool of the same tenant made within the last day. Raises
    InvalidInput for none or several of them, and where the file is empty or too large; NotFound
    for a file that is not (any more) the tenant's.
    """
    given = [
        name
        for name, value in (("content_base64", content_base64), ("text", text), ("file_uri", file_uri))
        if value
    ]
    if len(given) != 1:
        raise InvalidInput(
            f"Give the file's content once, not as {' and '.join(given)}."
            if given
            else "The file has no content.",
            code="one_content",
            hint="As text, as content_base64, or as file_uri of a file that a tool made.",
        )
    if content_base64:
        return file_bytes(content_base64, max_bytes=max_bytes)
    data = await _stored(ctx, file_uri) if file_uri else _encoded(text or "")
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    return data


async def _stored(ctx: Context, uri: str) -> bytes:
    row = await in_db(artifact_get, ctx.connection.tenant_id, UUID(uri.rpartition("/")[2]))
    if row is None:
        raise NotFound("This file does not exist or its day is over.", hint="Make it again.")
    if not row.size:
        raise InvalidInput("The file is empty.", code="empty_file")
    return bytes(row.data)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The text has a character that is none.", code="bad_character") from None


def file_form(name: str, data: bytes, fields: Mapping[str, str] | None = None) -> tuple[bytes, str]:
    """A form with a file in its part ``file`` and plain fields before it, and its media type (RFC 7578).

    ``name`` is a :func:`safe_name`; what it must not have is quoted as browsers do.
    """
    boundary = secrets.token_hex(16)
    quoted = name.replace("\\", "_").replace('"', "%22")
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in (fields or {}).items()
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
    head += f"Content-Type: {mime_type_of(name)}\r\n\r\n"
    body = b"".join((head.encode(), data, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"


def safe_name(name: str) -> str:
    """A file name that names no folder and runs into nobody's rules. Raises InvalidInput where nothing is left.

    The last part of a path, without controls, characters people do not see, and what Windows
    refuses; at most 200 characters, with its ending kept.
    """
    last = re.split(r"[/\\\u2044\u2215\u29f8\uff0f\uff3c]", unicodedata.normalize("NFC", visible(name)))[-1]
    made = _FORBIDDEN.sub("_", last).strip().strip(".").strip()
    if _DEVICE.match(made):
        made = f"_{made}"
    if not made.strip("_"):
        raise InvalidInput("This is no file name.", code="bad_file_name", hint="Such as report.pdf.")
    return _shortened(made)


def _shortened(name: str) -> str:
    while len(name) > MAX_NAME or len(name.encode()) > 255:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[:-1]}{dot}{ending}" if stem and len(ending) <= 20 else name[:-1]
    return name


def mime_type_of(name: str) -> str:
    """The media type that a file's name promises."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


async def handed_out(
    ctx: Context,
    name: str,
    data: bytes,
    *,
    mime_type: str = "",
    source: str = "",
    about: dict[str, Any] | None = None,
) -> ToolResult:
    """A system's file as a result: small texts and pictures in it, the rest as a link for 24 hours.

    ``source`` is the file's page at the vendor, ``about`` further fields. The structured content is
    ``{name, mime_type, size, text? , uri?, download_url?, expires_at?, url?}``. Raises InvalidInput
    for more than 10 MB.
    """
    name = safe_name(name)
    mime_type = mime_type.partition(";")[0].strip().lower() or mime_type_of(name)
    made: dict[str, Any] = {"name": name, "mime_type": mime_type, "size": len(data), **(about or {})}
    if source:
        made["url"] = source
    meta = {"trust": "untrusted"}
    if (text := _text_of(data, mime_type)) is not None:
        return ToolResult({**made, "text": text}, meta=meta)
    if mime_type in _PICTURES and len(data) <= INLINE_IMAGE:
        picture = Image(base64.b64encode(data).decode(), mime_type)
        return ToolResult(made, (picture, Text(f"{name}, {len(data):,} bytes")), meta)
    saved = await ctx.save_file(name, mime_type, data)
    made |= {"uri": saved.uri, "download_url": saved.url, "expires_at": saved.expires_at.isoformat()}
    link = ResourceLink(saved.uri, saved.name, mime_type=mime_type, size=saved.size)
    note = f"{name}, {saved.size:,} bytes: {saved.url} (with the access key, until {made['expires_at']})"
    return ToolResult(made, (link, Text(note)), meta)


def _text_of(data: bytes, mime_type: str) -> str | None:
    """The text of a small text file; None for everything else."""
    if not _TEXTUAL.match(mime_type) or len(data) > 4 * INLINE_TEXT:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return visible(text) if len(text) <= INLINE_TEXT else None
