"""Files on their way in and out of tools: by content or by link, never by a path on the server."""

import base64
import binascii
import mimetypes
import re
import unicodedata
from typing import Annotated, Any, Final

from pydantic import Field

from connectors.artifacts import MAX_BYTES
from connectors.calling import Context
from connectors.errors import InvalidInput
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
        raise InvalidInput(
            f"The file has more than {max_bytes:,} bytes.",
            code="file_too_large",
            hint="Send a smaller file, or put it where it can be linked to.",
        )
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _no_base64() from None
    if not data:
        raise InvalidInput("The file is empty.", code="empty_file")
    return data


def _no_base64() -> InvalidInput:
    return InvalidInput(
        "content_base64 is not base64.", code="bad_base64", hint="Encode the file's bytes, not its path."
    )


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
