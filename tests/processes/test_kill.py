"""A worker that is killed under load takes no answered call's record with it."""

import os
import signal
import threading

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from tests.live import Line, Live, eventually, manage
from tests.mcp_endpoint.speak import make_place, modern

CLIENTS = 6
BEFORE = 150  # answered calls before the kill


@pytest.mark.slow
def test_every_answered_call_survives_the_kill_of_a_worker_and_the_chain_holds(database, tmp_path):
    live = Live(tmp_path)
    try:
        place = make_place(connectors=("probe",))
        answered: list[str] = []
        enough, over = threading.Event(), threading.Event()

        def load(number: int) -> None:
            line, count = Line(live.port), 0
            while not over.wait(0.01):  # several calls at every moment, and room for a worker to start
                count += 1
                mark = f"kill-{number}-{count}"
                tool = "probe_write" if count % 2 else "probe_echo"
                params = {"name": tool, "arguments": {"text": mark}}
                try:
                    answer = line.send(modern(place, "tools/call", params, x_request_id=mark))
                    if answer.status == 200:
                        answered.append(mark)
                except Exception:  # the worker is gone; the next connection finds the other
                    line.close()
                    line = Line(live.port)
                if len(answered) >= BEFORE:
                    enough.set()

        clients = [threading.Thread(target=load, args=(number,)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        before = live.pids()
        assert enough.wait(30)
        os.kill(before[0], signal.SIGKILL)
        replaced = eventually(lambda: [pid for pid in live.pids() if pid not in before], 20)
        seen = len(answered)
        eventually(lambda: len(answered) >= seen + 50, 20)
        over.set()
        for client in clients:
            client.join(30)
        assert replaced
        with live.lines() as lines:  # both answer, the new one too
            assert all(line.call(place, "probe_echo", text="x").status == 200 for line in lines)
    finally:
        live.stop()
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call")
    done = list(rows.filter(phase="done", outcome="ok").values_list("request_id", flat=True))
    assert len(answered) > BEFORE
    assert set(answered) <= set(done)
    assert len(done) == len(set(done)) + done.count(""), "a call is recorded once"

    slug = place.tenant.slug
    call_command("verify_audit", tenant=slug)
    table = AuditEvent.objects.for_tenant(place.tenant)
    numbers = list(table.order_by("seq").values_list("seq", flat=True))

    def found() -> str:
        with pytest.raises(CommandError) as failure:
            call_command("verify_audit", tenant=slug)
        return str(failure.value)

    bad = numbers[len(numbers) // 2]
    row = table.filter(seq=bad).values().get()
    table.filter(seq=bad).update(name="edited")
    assert f"event {bad}" in found()
    table.filter(seq=bad).delete()
    assert str(bad) in found()
    table.create(**row)
    one, two = numbers[3:5]
    for old, new in ((one, -1), (two, one), (-1, two)):
        table.filter(seq=old).update(seq=new)
    found()
    for old, new in ((two, -1), (one, two), (-1, one)):
        table.filter(seq=old).update(seq=new)
    call_command("verify_audit", tenant=slug)  # put back, it is whole again
    table.filter(seq__in=numbers[-2:]).delete()
    broken = manage("verify_audit", "--tenant", slug)
    assert broken.returncode == 1
    assert found() in broken.stderr
