"""Bodies of answers, decoded, within the limit that the request named."""

import zlib
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Final

from connectors.errors import UpstreamError

MAX_PIECES: Final = 1_000
FRAME: Final = 1_000  # bytes that a compressed body may have more than what it holds
GZIP: Final = 0x1F  # how a piece that is compressed with gzip begins


async def bounded(stream: AsyncIterable[bytes], status: int, headers: Mapping[str, str], most: int) -> bytes:
    """The decoded body. Raises UpstreamError where it is larger than ``most`` bytes, decoded or not."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(most, status)
    parts: list[bytes] = []
    size = 0
    async for part in _decoded(stream, headers, most, status):
        size += len(part)
        if size > most:
            raise _too_large(most, status)
        parts.append(part)
    return b"".join(parts)


async def _decoded(
    stream: AsyncIterable[bytes], headers: Mapping[str, str], most: int, status: int
) -> AsyncIterator[bytes]:
    """The body's pieces, decompressed little by little: a small bomb must not fill the memory."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        async for part in stream:
            yield part
        return
    if encoding not in ("gzip", "deflate"):
        raise UpstreamError(f"The system answered in an encoding that was not asked for: {encoding[:40]}")
    inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is
    came, pieces, is_over = 0, 1, False
    try:
        async for part in stream:
            came += len(part)
            if came > most + most // 100 + FRAME:  # it never ends, and decompresses to nothing
                raise _too_large(most, status)
            while part and not is_over:
                if inflate.eof:  # a body may be several such pieces (RFC 1952, 2.2); what is none is padding
                    if is_over := part[0] != GZIP:
                        break
                    if (pieces := pieces + 1) > MAX_PIECES:
                        raise _too_large(most, status)
                    inflate = zlib.decompressobj(wbits=47)
                yield inflate.decompress(part, most + 1)
                part = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        yield inflate.flush()
        if came and not inflate.eof:
            raise zlib.error("it ends too early")
    except zlib.error as error:
        raise UpstreamError("The system's compressed answer is damaged.", retryable=True) from error


def _too_large(most: int, status: int) -> UpstreamError:
    return UpstreamError(
        f"The system's answer is larger than {most:,} bytes.",
        code="too_large",
        upstream_status=status,
        hint="Ask for less: a narrower filter, fewer fields, a smaller page.",
    )
