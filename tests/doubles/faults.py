"""What can go wrong between a client and a system, on demand.

A fault strikes a request in place of (or after) the double's work. ``after`` means: the work is
done first, and then its answer is lost, so that a client which sends again does it twice.
"""

import asyncio
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from email.utils import formatdate
from typing import Any, ClassVar, Protocol

from tests.doubles.line import Line
from tests.doubles.messages import Answer, Request


class Vendor(Protocol):
    """What a fault asks of the double: its vendor's own words."""

    def said(self, status: int, message: str) -> Answer:
        """An error as the vendor words it."""
        ...


@dataclass
class Blow:
    """A request that a fault strikes; ``work`` does what the request asks for, once."""

    vendor: Vendor
    request: Request
    line: Line
    work: Callable[[], Answer]


@dataclass(frozen=True)
class Fault:
    """A fault; subclasses say what happens in :meth:`strike`."""

    kind: ClassVar[str] = ""
    after: bool = field(default=False, kw_only=True)
    kinds: ClassVar[dict[str, type["Fault"]]] = {}

    def __init_subclass__(cls) -> None:
        if cls.kind:  # a test's own fault, which nobody else can ask for, needs none
            cls.kinds[cls.kind] = cls

    async def strike(self, blow: Blow) -> None:
        """Do it."""
        if self.after:
            blow.work()
        await self.happen(blow)

    async def happen(self, blow: Blow) -> None:
        """What the client sees."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """The fault as the control address takes it."""
        return {"fault": self.kind, **asdict(self)}


def fault_of(values: Mapping[str, Any]) -> Fault:
    """A fault from ``{"fault": kind, …its options}``. Raises ValueError with the kinds there are."""
    options = dict(values)
    kind = Fault.kinds.get(options.pop("fault", ""))
    if kind is None:
        raise ValueError(f"There is no such fault; there are: {', '.join(sorted(Fault.kinds))}")
    try:
        return kind(**options)
    except TypeError as error:
        raise ValueError(f"{kind.kind} does not take that: {error}") from error


@dataclass(frozen=True)
class TooMany(Fault):
    """429; ``seconds`` to wait (None: not told), as a date where ``as_date``."""

    kind = "too_many"
    seconds: float | None = 1
    as_date: bool = False
    status: int = 429

    async def happen(self, blow: Blow) -> None:
        answer = blow.vendor.said(self.status, "Rate limit exceeded.")
        await blow.line.answer(_with(answer, _waiting(self.seconds, self.as_date)))


@dataclass(frozen=True)
class Unavailable(Fault):
    """503, with or without the seconds to wait."""

    kind = "unavailable"
    seconds: float | None = None
    as_date: bool = False
    status: int = 503

    async def happen(self, blow: Blow) -> None:
        answer = Answer(self.status, body=b"<html><body>Service unavailable</body></html>")
        headers = {"content-type": "text/html", **_waiting(self.seconds, self.as_date)}
        await blow.line.answer(_with(answer, headers))


@dataclass(frozen=True)
class Status(Fault):
    """Any status, in the vendor's words."""

    kind = "status"
    status: int = 500
    message: str = "Something went wrong."

    async def happen(self, blow: Blow) -> None:
        await blow.line.answer(blow.vendor.said(self.status, self.message))


@dataclass(frozen=True)
class Expired(Fault):
    """401, as for a token whose time is over."""

    kind = "expired"

    async def happen(self, blow: Blow) -> None:
        await blow.line.answer(blow.vendor.said(401, "The access token expired."))


@dataclass(frozen=True)
class Reset(Fault):
    """The connection is reset before any answer."""

    kind = "reset"

    async def happen(self, blow: Blow) -> None:
        blow.line.reset()


@dataclass(frozen=True)
class HangUp(Fault):
    """The connection ends in order, without an answer: what an idle one does that was kept too long."""

    kind = "hang_up"

    async def happen(self, blow: Blow) -> None:
        blow.line.close()


@dataclass(frozen=True)
class LastAnswer(Fault):
    """A good answer, and then the connection ends unannounced."""

    kind = "last_answer"

    async def strike(self, blow: Blow) -> None:
        await blow.line.answer(blow.work())
        blow.line.close()


@dataclass(frozen=True)
class HalfBody(Fault):
    """The connection is reset in the middle of a good answer's body."""

    kind = "half_body"

    async def strike(self, blow: Blow) -> None:
        framed = blow.line.framed(blow.work())
        head, _, body = framed.partition(b"\r\n\r\n")
        await blow.line.write(head + b"\r\n\r\n" + body[: len(body) // 2])
        await asyncio.sleep(0.01)  # a reset may overtake what is still on its way
        blow.line.reset()


@dataclass(frozen=True)
class SlowDrip(Fault):
    """A good answer, ``step`` bytes every ``pause`` seconds: each read is quick, the whole is not."""

    kind = "slow_drip"
    step: int = 1
    pause: float = 0.05

    async def strike(self, blow: Blow) -> None:
        framed = blow.line.framed(blow.work())
        for start in range(0, len(framed), self.step):
            await blow.line.write(framed[start : start + self.step])
            await asyncio.sleep(self.pause)


@dataclass(frozen=True)
class Silence(Fault):
    """No answer, until the client hangs up."""

    kind = "silence"

    async def happen(self, blow: Blow) -> None:
        await blow.line.gone()
        blow.line.close()


@dataclass(frozen=True)
class InvalidJson(Fault):
    """200 with something that calls itself JSON and is none."""

    kind = "invalid_json"
    body: str = '{"id": 1, "name": "broken'

    async def happen(self, blow: Blow) -> None:
        headers = {"content-type": "application/json"}
        await blow.line.answer(Answer(200, headers=headers, body=self.body.encode()))


@dataclass(frozen=True)
class Redirect(Fault):
    """A redirect; by default to where clouds keep their machines' credentials."""

    kind = "redirect"
    to: str = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
    status: int = 302

    async def happen(self, blow: Blow) -> None:
        await blow.line.answer(Answer(self.status, headers={"location": self.to}, body=b""))


@dataclass(frozen=True)
class HugeBody(Fault):
    """A valid JSON text of ``size`` bytes, in chunks: its size is not announced."""

    kind = "huge_body"
    size: int = 30_000_000

    async def happen(self, blow: Blow) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        await blow.line.write(head + b'2\r\n["\r\n')
        piece = b"x" * 65_536
        for _ in range(self.size // len(piece) + 1):
            await blow.line.write(b"10000\r\n" + piece + b"\r\n")
        await blow.line.write(b'2\r\n"]\r\n0\r\n\r\n')
        blow.line.close()


@dataclass(frozen=True)
class GzipBomb(Fault):
    """A small compressed body that becomes ``size`` bytes."""

    kind = "gzip_bomb"
    size: int = 30_000_000

    async def happen(self, blow: Blow) -> None:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        await blow.line.answer(Answer(200, headers=headers, body=_bomb(self.size)))


@dataclass(frozen=True)
class WrongLength(Fault):
    """A good answer that announces ``by`` more bytes than come; then the connection ends."""

    kind = "wrong_length"
    by: int = 100

    async def strike(self, blow: Blow) -> None:
        answer = blow.work()
        payload = answer.payload
        lines = [f"HTTP/1.1 {answer.status} OK", f"content-length: {len(payload) + self.by}"]
        lines += [f"{name}: {value}" for name, value in answer.all_headers().items()]
        await blow.line.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + payload)
        blow.line.close()


def _waiting(seconds: float | None, as_date: bool) -> dict[str, str]:
    if seconds is None:
        return {}
    told = formatdate(time.time() + seconds, usegmt=True) if as_date else f"{seconds:g}"
    return {"retry-after": told}


def _with(answer: Answer, headers: Mapping[str, str]) -> Answer:
    return replace(answer, headers={**answer.headers, **headers})


_bombs: dict[int, bytes] = {}


def _bomb(size: int) -> bytes:
    if size not in _bombs:
        packer, piece = zlib.compressobj(1, wbits=31), bytes(1_000_000)
        parts = [packer.compress(piece) for _ in range(size // len(piece))]
        _bombs[size] = b"".join([*parts, packer.flush()])
    return _bombs[size]
