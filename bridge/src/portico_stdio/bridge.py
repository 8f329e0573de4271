"""From lines to requests and back, for both eras at once: each message tells its own.

No request stays without an answer: one that was lost is answered with an error that says
whether it may have taken effect.
"""

import asyncio
import json
from typing import Any

from portico_stdio import headers
from portico_stdio.patience import AWAY, PATIENCE_S, backoff, persist
from portico_stdio.pipes import Pipes
from portico_stdio.remote import Frame, Lost, NotSent, Refused, Remote
from portico_stdio.session import Session

FINISH_S = 5.0  # what running requests get when the client has closed its side
PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR, HEADER_MISMATCH = -32700, -32600, -32603, -32020
CONNECTION_LOST = -32000  # what the official SDKs call a closed connection
LISTEN = "subscriptions/listen"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
MAX_PAGES = 100

_Id = tuple[type, int | str]


class Bridge:
    """One client at the pipes, one tenant at the other end."""

    def __init__(self, remote: Remote, pipes: Pipes, patience_s: float = PATIENCE_S) -> None:
        self._remote, self._pipes, self._patience_s = remote, pipes, patience_s
        self._session = Session(remote, self._emit, pipes.log)
        self._running: dict[_Id, tuple[asyncio.Task[None], bool]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._marked: dict[str, dict[headers.Path, str]] = {}

    async def run(self) -> None:
        """Work until the client closes its side."""
        try:
            while (line := await self._pipes.read()) is not None:
                if line.strip():
                    await self._take(line)
            quick = [task for task in self._tasks if task.get_name() != LISTEN]
            if quick and not self._pipes.broken:
                await asyncio.wait(quick, timeout=FINISH_S)
        finally:
            self._session.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._pipes.close()

    async def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            await self._fail(None, PARSE_ERROR, "This line is not JSON.")
            return
        method = message.get("method") if isinstance(message, dict) else None
        if isinstance(method, str) and "id" not in message:
            await self._notify(message, method)
        elif isinstance(method, str) and type(message["id"]) in (int, str):
            version = headers.modern_version(message)
            key = (type(message["id"]), message["id"])
            task = self._start(self._request(message, version, key), method)
            self._running[key] = (task, version is not None)
        elif isinstance(message, dict) and ("result" in message or "error" in message):
            self._start(self._session.tell(message), "answer")
        else:
            await self._fail(None, INVALID_REQUEST, "This line is no JSON-RPC 2.0 message.")

    def _start(self, work: Any, name: str) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _notify(self, message: Frame, method: str) -> None:
        if method == "notifications/cancelled":
            params = message.get("params")
            wanted = params.get("requestId") if isinstance(params, dict) else None
            task, modern = self._running.get((type(wanted), wanted), (None, False))  # type: ignore[arg-type]
            if task is not None and modern:
                task.cancel()  # closing its stream is how a request of 2026-07-28 is cancelled
                return
            if task is not None:
                self._start(self._cancel(message, task), method)
                return
        if headers.modern_version(message) is None:  # 2026-07-28 has none over HTTP
            self._start(self._session.tell(message), method)

    async def _cancel(self, message: Frame, task: "asyncio.Task[None]") -> None:
        """Tell the server before the connection is closed, which alone cancels nothing there."""
        await self._session.tell(message)
        task.cancel()

    async def _request(self, message: Frame, version: str | None, key: _Id) -> None:
        method: str = message["method"]
        try:
            if version is None:
                await persist(
                    method,
                    lambda: self._session.request(message, self._passing(message)),
                    self._patience_s,
                )
            elif method == LISTEN:
                await self._listen(message, version)
            else:
                await persist(method, lambda: self._modern(message, version), self._patience_s)
        except NotSent as error:
            text = f"The server at {self._remote.url} cannot be reached; nothing was sent. {error}"
            await self._fail(message["id"], CONNECTION_LOST, text)
        except Lost as error:
            text = (
                "The connection to the server was lost before the answer came. What was asked may have been "
                f"done: look before you repeat it. {error}"
            )
            await self._fail(message["id"], CONNECTION_LOST, text)
        except Refused as error:
            await self._refused(message["id"], error)
        except Exception as error:  # a request must not stay without an answer
            self._pipes.log(f"{method} failed: {type(error).__name__}: {error}")
            await self._fail(message["id"], INTERNAL_ERROR, f"portico-stdio failed: {type(error).__name__}.")
        finally:
            if self._running.get(key, (None,))[0] is asyncio.current_task():
                del self._running[key]

    def _passing(self, message: Frame) -> Any:
        """Frames go to the client; the one that answers this request is the last."""

        async def on_frame(frame: Frame) -> bool:
            if not _answers(frame):
                await self._emit(frame)
                return False
            self._learn(message, frame)
            await self._emit({**frame, "id": message["id"]})
            return True

        return on_frame

    async def _modern(self, message: Frame, version: str) -> None:
        """A request of 2026-07-28 with its headers. Raises NotSent, Lost and Refused."""
        sent = headers.routing(message, version, self._marked)
        try:
            await self._remote.post(message, sent, self._passing(message))
        except Refused as error:
            # A tool wants arguments in headers that no list has shown here: nothing ran yet.
            if (error.error or {}).get("code") != HEADER_MISMATCH or message["method"] != "tools/call":
                raise
            await self._list_tools(message, version)
            again = headers.routing(message, version, self._marked)
            if again == sent:
                raise
            await self._remote.post(message, again, self._passing(message))

    async def _list_tools(self, message: Frame, version: str) -> None:
        cursor: Any = None
        for page in range(MAX_PAGES):
            params = {"_meta": message["params"]["_meta"], **({"cursor": cursor} if cursor else {})}
            listing = {
                "jsonrpc": "2.0",
                "id": f"portico-stdio-list-{page}",
                "method": "tools/list",
                "params": params,
            }
            found: list[Frame] = []

            async def note(frame: Frame, found: list[Frame] = found) -> bool:
                found.append(frame)
                return _answers(frame)

            await self._remote.post(listing, headers.routing(listing, version, {}), note)
            self._learn(listing, found[-1])
            result = found[-1].get("result")
            cursor = result.get("nextCursor") if isinstance(result, dict) else None
            if not cursor:
                return

    def _learn(self, message: Frame, answer: Frame) -> None:
        """Keep which arguments of which tools are to be repeated in headers."""
        if message["method"] != "tools/list" or not isinstance(answer.get("result"), dict):
            return
        for tool in answer["result"].get("tools") or ():
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                self._marked[tool["name"]] = headers.marks(tool.get("inputSchema"))

    async def _listen(self, message: Frame, version: str) -> None:
        """Hold a subscription until the client cancels it, however often its stream is lost."""
        subscription, sent = message["id"], headers.routing(message, version, {})
        honoured: Frame | None = None
        delays = backoff()
        answer: Frame | None = None

        async def on_frame(frame: Frame) -> bool:
            nonlocal honoured, delays, answer
            if _answers(frame):
                answer = frame
                return True
            if frame.get("method") != "notifications/subscriptions/acknowledged":
                await self._emit(frame)
                return False
            delays, again = backoff(), honoured is not None
            params = frame.get("params")
            found = params.get("notifications") if isinstance(params, dict) else None
            honoured = found if isinstance(found, dict) else {}
            if again:
                await self._tell_missed(honoured, subscription)
            else:
                await self._emit(frame)
            return False

        async def attempt() -> None:
            await self._remote.post(message, sent, on_frame)

        while True:
            answer = None
            try:
                if honoured is None:
                    await persist(LISTEN, attempt, self._patience_s)
                else:
                    await attempt()
            except (NotSent, Lost) as error:
                if honoured is None:
                    raise
                self._pipes.log(f"a subscription is opened again ({error})")
            except Refused as error:
                if honoured is None or error.status not in (429, *AWAY):
                    raise
            if answer is not None and ("error" in answer or honoured is None):
                await self._emit({**answer, "id": subscription})
                return
            # A graceful end means that this server stops; another one takes its place.
            await asyncio.sleep(next(delays))

    async def _tell_missed(self, honoured: Frame, subscription: int | str) -> None:
        """Have the client look again at all that may have changed while nobody listened."""
        meta = {"_meta": {SUBSCRIPTION: subscription}}
        for kind in ("tools", "prompts", "resources"):
            if honoured.get(f"{kind}ListChanged"):
                await self._emit(
                    {"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed", "params": meta}
                )
        for uri in honoured.get("resourceSubscriptions") or ():
            await self._emit(
                {
                    "jsonrpc": "2.0",
                    "method": "notifications/resources/updated",
                    "params": {"uri": uri, **meta},
                }
            )

    async def _refused(self, request_id: int | str, refused: Refused) -> None:
        error = dict(refused.error or {"code": INTERNAL_ERROR})
        await self._emit(
            {"jsonrpc": "2.0", "id": request_id, "error": {**error, "message": refused.sentence}}
        )

    async def _fail(self, request_id: int | str | None, code: int, message: str) -> None:
        await self._emit({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})

    async def _emit(self, frame: Frame) -> None:
        text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
        await self._pipes.write(text.encode("utf-8", "surrogatepass"))


def _answers(frame: Frame) -> bool:
    return "method" not in frame and ("result" in frame or "error" in frame)
