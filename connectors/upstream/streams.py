"""A connection to a system on asyncio's own streams, as the HTTP library wants its network.

The library's own backend asks the kernel of each idle connection before each request whether
its other end has closed it; here the event loop has been told already. That, and less between
the library and the socket, is a third of what a request costs.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore2

_INFO: Final = {
    "ssl_object": "ssl_object",
    "client_addr": "sockname",
    "server_addr": "peername",
    "socket": "socket",
}


class _Reader(asyncio.StreamReader):
    """Counts what came in, so that bytes nobody asked for are noticed."""

    came = 0
    ended = False

    def feed_data(self, data: Any) -> None:
        self.came += len(data)
        super().feed_data(data)

    def feed_eof(self) -> None:
        self.ended = True
        super().feed_eof()


class Stream(httpcore2.AsyncNetworkStream):
    """One connection; errors are the HTTP library's."""

    def __init__(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._taken = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, at most so many bytes; none at the end."""
        try:
            async with asyncio.timeout(timeout):
                data = await self._reader.read(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout("No answer in time.") from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error
        self._taken += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send, and wait while the other end is slow to take it."""
        if not buffer:
            return
        try:
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError as error:
            raise httpcore2.WriteTimeout("The request was not taken in time.") from error
        except (OSError, RuntimeError) as error:  # uvloop's word for a closed connection is the latter
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """Close at once; a system that does not say good-bye is not waited for."""
        self._writer.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "Stream":
        """Speak TLS from now on."""
        try:
            async with asyncio.timeout(timeout):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            await self.aclose()
            raise httpcore2.ConnectTimeout("TLS did not come about in time.") from error
        except (OSError, RuntimeError) as error:  # an SSLError is an OSError
            await self.aclose()
            raise httpcore2.ConnectError(str(error)) from error
        except BaseException:
            await self.aclose()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        """What the library asks of a connection; ``is_readable``: an idle one is of no use any more."""
        if info == "is_readable":
            return self._reader.ended or self._reader.came != self._taken or self._writer.is_closing()
        name = _INFO.get(info)
        return self._writer.get_extra_info(name) if name else None


async def connect(
    address: str,
    port: int,
    timeout: float | None,
    local_address: str | None,
    socket_options: Iterable[Any] | None,
) -> Stream:
    """Connect to an address within ``timeout`` seconds. Raises ConnectError and ConnectTimeout."""
    loop = asyncio.get_running_loop()
    reader = _Reader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    local = (local_address, 0) if local_address else None
    try:
        async with asyncio.timeout(timeout):
            transport, _ = await loop.create_connection(lambda: protocol, address, port, local_addr=local)
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(f"{address} did not answer in time.") from error
    except OSError as error:
        raise httpcore2.ConnectError(str(error)) from error
    for option in socket_options or ():
        transport.get_extra_info("socket").setsockopt(*option)
    return Stream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
