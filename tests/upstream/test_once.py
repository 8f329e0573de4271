"""A record is created at most once for each call, whatever happens on the way."""

import asyncio
import os
import random
import time
from collections import Counter

from connectors.errors import ConnectorError
from connectors.upstream import retry
from connectors.upstream.client import Client, Request
from connectors.upstream.retry import Kind
from tests.upstream.conftest import Ctx, some_connection
from tests.upstream.faulty import answer

RUNS = int(os.environ.get("PORTICO_RUNS", "1000"))
# What the system does with a creation, and whether the record exists afterwards.
REFUSALS = [answer(429, retry_after="0"), answer(429), answer(503, retry_after="0"), answer(400), answer(401)]
FAILURES = [
    answer(500),
    answer(502),
    answer(503),
    answer(504),
    b"HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{",
    b"",
]


class Creating:
    """A system that creates records and then answers as chance will have it."""

    def __init__(self, seed):
        self.chance, self.created = random.Random(seed), Counter()

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split("\r\n")[0])
                record = (await reader.readexactly(length)).decode()
                kind = self.chance.random()
                if kind < 0.25:
                    writer.write(self.chance.choice(REFUSALS))
                elif kind < 0.3:  # before it was read to its end, as far as the client knows
                    writer.transport.abort()
                    return
                else:
                    self.created[record] += 1
                    if kind < 0.6:
                        failure = self.chance.choice(FAILURES)
                        writer.write(failure)
                        if failure[:12] in (b"", b"HTTP/1.1 201"):
                            if self.chance.random() < 0.3:
                                await asyncio.sleep(0.1)  # longer than the client waits
                            writer.transport.abort()
                            return
                    else:
                        writer.write(answer(201))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def test_no_fault_makes_two_records_of_one_call(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.0005)
    system = Creating(seed=11)
    server = await asyncio.start_server(system.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Client(some_connection(read_s=0.05), f"http://127.0.0.1:{port}")
    outcomes: Counter[str] = Counter()
    confirmed = []

    async def one(number):
        client.line.budget.left = 10
        request = Request("POST", "records", Kind.ONCE, content=f"record {number}".encode())
        try:
            got = await client.send(Ctx(time.monotonic() + 5), request)
        except ConnectorError as error:
            outcomes[error.type] += 1
        else:
            outcomes["created"] += 1
            confirmed.append(f"record {number}")
            assert got.status == 201

    for start in range(0, RUNS, 20):
        await asyncio.gather(*(one(number) for number in range(start, min(start + 20, RUNS))))
    await client.aclose()
    server.close()
    assert max(system.created.values()) == 1
    assert all(system.created[record] == 1 for record in confirmed)
    assert outcomes["created"] > RUNS / 3
    assert len(outcomes) >= 5, outcomes
