"""Streams of notifications in real processes: across workers, five hundred on one, and their end."""

import json
import os
import resource
import signal
import socket
import time
from contextlib import contextmanager

import pytest
from django.conf import settings

from common.redis import sync_client
from connectors import services as connectors
from tenants import services
from tests.factories import SYSTEM, make_key
from tests.live import Line, Live, eventually
from tests.mcp_endpoint.listening import EVERYTHING, TOOLS, UPDATED, get
from tests.mcp_endpoint.speak import Place, Post, initialize, legacy, make_place, modern

WEIGHED = "weighed=tests.processes.weighed:Weighed"
PLAN = "goal://GOAL-0001/plan"
WITHIN_S = 1.0


class Stream:
    """A stream on a connection of its own, or on one to a certain worker."""

    def __init__(self, line: Line, post: Post) -> None:
        self.line = line
        line.http.request(post.method, post.path, post.body or None, dict(post.headers))
        self.response = line.http.getresponse()
        assert self.response.status == 200, self.response.read()

    def next(self):
        """The next frame; None where the stream has ended."""
        while text := self.response.readline():
            if text.startswith(b"data: "):
                return json.loads(text.removeprefix(b"data: "))
        return None


def listening(line: Line, place: Place, **wanted) -> Stream:
    stream = Stream(line, modern(place, "subscriptions/listen", {"notifications": wanted or EVERYTHING}))
    assert stream.next()["method"] == "notifications/subscriptions/acknowledged"
    return stream


def switch(place: Place, tool: str, enabled: bool) -> None:
    connection = place.tenant.connections.get(slug="probe")
    connectors.switch_set(connection, tool=tool, enabled=enabled, actor=SYSTEM)


def test_a_change_in_one_process_is_told_on_the_streams_of_every_worker(live):
    place, elsewhere = make_place(connectors=("goals", "probe")), make_place(connectors=("goals", "probe"))
    with live.lines() as lines, live.lines() as others:
        mine = [listening(line, place, toolsListChanged=True) for line in lines]
        theirs = [listening(line, elsewhere, toolsListChanged=True) for line in others]
        switch(place, "probe_write", enabled=False)
        assert [stream.next()["method"] for stream in mine] == [TOOLS, TOOLS]
        changed = time.monotonic()
        services.access_key_revoke(key=place.access_key, actor=SYSTEM)
        assert ["result" in stream.next() for stream in mine] == [True, True]
        assert time.monotonic() - changed < WITHIN_S
        switch(elsewhere, "probe_write", enabled=False)
        assert [stream.next()["method"] for stream in theirs] == [TOOLS, TOOLS]


def test_a_resource_that_changes_through_one_worker_is_told_by_the_other(live):
    place = make_place(connectors=("goals",))
    with live.lines() as (one, other):
        stream = listening(one, place, resourceSubscriptions=[PLAN])
        changed_through(other, place)
        assert stream.next()["params"]["uri"] == PLAN


def changed_through(line: Line, place: Place) -> None:
    goal = line.call(place, "create_goal", description="Open a bakery").result["structuredContent"]["id"]
    task = {"title": "Find an oven", "description": "It is hot."}
    assert not line.call(place, "break_down_goal", goal_id=goal, subtasks=[task]).result.get("isError")


def test_a_session_subscribes_through_one_worker_and_hears_on_the_stream_of_the_other(live):
    place = make_place(connectors=("goals", "probe"))
    with live.lines() as (one, other):
        session = other.send(initialize(place)).headers["mcp-session-id"]
        stream = Stream(one, get(place, place.path, session))
        subscribe = legacy(place, "resources/subscribe", {"uri": PLAN}, mcp_session_id=session)
        assert other.send(subscribe).result == {}
        changed_through(other, place)
        assert stream.next() == {"jsonrpc": "2.0", "method": UPDATED, "params": {"uri": PLAN}}
        unsubscribe = legacy(place, "resources/unsubscribe", {"uri": PLAN}, mcp_session_id=session)
        assert other.send(unsubscribe).result == {}
        assert not other.call(place, "update_goal", goal_id="GOAL-0001", title="A mill").result.get("isError")
        switch(place, "probe_write", enabled=False)
        heard = stream.next()["method"]
        assert heard == TOOLS


def test_of_a_sessions_streams_on_two_workers_the_newest_speaks(live):
    place = make_place(connectors=("probe",))
    with live.lines() as (one, other):
        session = one.send(initialize(place)).headers["mcp-session-id"]
        older = Stream(one, get(place, place.path, session))
        newer = Stream(other, get(place, place.path, session))
        switch(place, "probe_write", enabled=False)
        assert newer.next()["method"] == TOOLS
        services.access_key_revoke(key=place.access_key, actor=SYSTEM)
        assert older.next() is None, "the same news went out twice"
        assert newer.next() is None


@contextmanager
def one_worker(tmp_path, **env: str):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    server = Live(
        tmp_path, workers=1, PORTICO_CONNECTORS=f"{os.environ['PORTICO_CONNECTORS']},{WEIGHED}", **env
    )
    try:
        yield server
    finally:
        server.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def opened(server: Live, post: Post) -> socket.socket:
    """A socket with an open stream, from which the first event was read."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    lines = [f"{name}: {value}" for name, value in post.headers]
    head = [f"{post.method} {post.path} HTTP/1.1", "host: localhost", f"content-length: {len(post.body)}"]
    connection.sendall("\r\n".join([*head, *lines, "", ""]).encode() + post.body)
    seen = b""
    while b"acknowledged" not in seen and b": ping" not in seen:
        part = connection.recv(4096)
        assert part, seen
        seen += part
    assert seen.startswith(b"HTTP/1.1 200"), seen
    return connection


def weigh(line: Line, place: Place) -> dict[str, int]:
    return line.call(place, "weigh").result["structuredContent"]


def subscribers() -> int:
    """Redis connections of all processes that subscribe to patterns."""
    return sum(client["psub"] != "0" for client in sync_client().client_list())


@pytest.mark.slow
def test_five_hundred_streams_cost_no_threads_one_subscription_and_little_memory(
    database, tmp_path, monkeypatch
):
    monkeypatch.setattr(settings, "PORTICO_CONNECTORS", [*settings.PORTICO_CONNECTORS, WEIGHED])
    place = make_place(connectors=("goals", "probe", "weighed"))
    keys = [make_key(place.tenant) for _ in range(10)]
    places = [Place(place.tenant, secret, key) for key, secret in keys]
    wanted = {"notifications": {**EVERYTHING, "resourceSubscriptions": [PLAN]}}
    sockets: list[socket.socket] = []
    with one_worker(tmp_path) as server:
        line = server.line()

        def fill(count: int) -> None:
            while len(sockets) < count:
                of = places[len(sockets) % len(places)]
                if len(sockets) % 2:
                    session = line.send(initialize(of)).headers["mcp-session-id"]
                    sockets.append(opened(server, get(of, of.path, session)))
                else:
                    sockets.append(opened(server, modern(of, "subscriptions/listen", wanted)))

        try:
            fill(100)
            first, subscribed = weigh(line, place), subscribers()
            fill(500)
            last = weigh(line, place)
            each = (last["bytes"] - first["bytes"]) / 400
            print(f"{each / 1024:.1f} KB for each stream; {first} {last}")
            assert (first["streams"], last["streams"]) == (100, 500)
            assert each < 64 * 1024
            assert last["tasks"] - first["tasks"] <= 400 + 5
            assert last["threads"] <= first["threads"] + 1  # the pool for the database may grow by itself
            # Other servers of the suite come and go beside this one; 400 streams would show.
            assert subscribers() - subscribed < 100

            switch(place, "probe_write", enabled=False)
            began = time.monotonic()
            for connection in sockets:
                assert TOOLS.encode() in connection.recv(65536)
            assert time.monotonic() - began < 5
            assert weigh(line, place)["streams"] == 500

            for connection in sockets[:250]:
                connection.close()
            eventually(lambda: weigh(line, place)["streams"] == 250)
        finally:
            for connection in sockets:
                connection.close()


@pytest.mark.slow
def test_a_worker_that_stops_ends_its_streams_at_once_and_lets_calls_finish(database, tmp_path):
    place = make_place(connectors=("probe",))
    with one_worker(tmp_path) as server:
        session = server.line().send(initialize(place)).headers["mcp-session-id"]
        streams = [listening(server.line(), place) for _ in range(20)]
        streams.append(Stream(server.line(), get(place, place.path, session)))
        arguments = {"name": "probe_wait", "arguments": {"seconds": 4.0}}
        call = Stream(server.line(), modern(place, "tools/call", arguments, meta={"progressToken": 1}))
        assert call.next()["method"] == "notifications/progress"
        began = time.monotonic()
        os.kill(server.process.pid, signal.SIGTERM)
        last = [stream.next() for stream in streams]
        assert time.monotonic() - began < 3
        assert all("result" in frame for frame in last[:-1])
        assert last[-1] is None
        assert all(stream.next() is None for stream in streams)
        assert call.next()["params"]["progress"] == 2, "the call ended before the streams"
        assert call.next()["params"]["progress"] == 3
        assert call.next()["result"]["content"][0]["text"] == "waited"
        assert server.process.wait(15) == 0
        assert "Traceback" not in server.text()
