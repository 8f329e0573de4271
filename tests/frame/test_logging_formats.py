"""The log as JSON and in files: every form has its ids, and none has a secret."""

import io
import json
import logging
import re
import subprocess
import sys

import orjson
import pytest

from common.log_context import log_context, trace_context
from portico.log_files import SharedFile
from portico.log_formats import Columns, JsonLine, OneLine
from portico.logging import configuration
from tests.factories import unique
from tests.live import ROOT, environment, run_code
from tests.mcp_endpoint.speak import by_door, make_place, modern

SECRETS = [
    "key ptc_0123456789ab_sEcReTsEcReT-_x",
    "{'authorization': 'Bearer sEcReTsEcReT'}",
    '{"authorization": "Bearer sEcReTsEcReT"}',
    "Authorization: Basic sEcReTsEcReT",
    "postgres://portico:sEcReTsEcReT@db/portico",
    "Not Found: /admin/invitation/sEcReTsEcReT/",
]


def logged(form: type[logging.Formatter], message, *arguments, **kwargs) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form())
    logger = logging.Logger("some.module")
    logger.addHandler(handler)
    logger.warning(message, *arguments, **kwargs)
    return stream.getvalue()


def test_a_json_record_has_its_ids_and_is_one_line():
    with log_context(tenant="acme", request_id="r-1", trace_id="t-1"):
        line = logged(JsonLine, "first\nsecond %s", 'x"y')
    assert line.count("\n") == 1
    found = json.loads(line)
    moment = found.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert found.pop("process") > 0
    assert found == {
        "level": "WARNING", "logger": "some.module", "message": 'first\nsecond x"y',
        "tenant": "acme", "request_id": "r-1", "trace_id": "t-1",
    }  # fmt: skip
    assert set(json.loads(logged(JsonLine, "outside"))) == {"time", "level", "logger", "message", "process"}


def test_a_json_record_holds_its_traceback():
    try:
        raise ValueError("odd \udcff text")
    except ValueError:
        found = orjson.loads(logged(JsonLine, "failed", exc_info=True))
    assert found["message"] == "failed"
    assert "Traceback" in found["exception"]
    assert "ValueError" in found["exception"]


def test_a_line_of_a_file_has_the_columns_that_are_documented():
    line = logged(Columns, "first\nsecond | %s", "x")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} \| WARNING \| some\.module \| logged:\d+ \| first\\nsecond \| x\n",
        line,
    )
    with log_context(tenant="acme", request_id="r-1"):
        assert logged(Columns, "x").endswith("| x [tenant=acme request_id=r-1]\n")


def test_a_line_names_its_trace_where_there_is_one():
    with log_context(trace_id="0af7"):
        assert " request=- trace=0af7 some.module: x" in logged(OneLine, "x")
    assert "trace=" not in logged(OneLine, "x")


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("form", [OneLine, JsonLine, Columns])
def test_no_form_writes_a_secret(form, text):
    assert "sEcReTsEcReT" not in logged(form, "%s", text)
    try:
        raise ValueError(text)
    except ValueError:
        assert "sEcReTsEcReT" not in logged(form, "failed", exc_info=True)
    with log_context(request_id=text):
        assert "sEcReTsEcReT" not in logged(form, "x")


def test_a_shared_file_is_rotated_by_size_and_five_former_ones_are_kept(tmp_path):
    path = tmp_path / "logs" / "portico.log"
    handler = SharedFile(str(path), size=2_000)
    handler.setFormatter(Columns())
    for number in range(200):
        handler.emit(
            logging.LogRecord("m", logging.INFO, "f", 1, "line %d of the log", (number,), None, "here")
        )
    handler.close()
    names = sorted(found.name for found in path.parent.iterdir())
    assert names == ["portico.log", *(f"portico.log.{n}" for n in range(1, 6)), "portico.log.lock"]
    assert all(found.stat().st_size <= 2_000 for found in path.parent.iterdir())
    assert {found.stat().st_mode & 0o777 for found in path.parent.iterdir()} == {0o600}
    assert "line 199 of the log" in path.read_text()


def test_the_files_are_ten_megabytes_and_five():
    handler = configuration("INFO", "line", "portico.log")["handlers"]["file"]
    made = handler["()"](handler["filename"])
    assert (made.maxBytes, made.backupCount) == (10_000_000, 5)
    assert configuration("INFO")["root"]["handlers"] == ["stderr"]


def test_processes_that_rotate_one_file_together_lose_no_line(tmp_path):
    path, lines = tmp_path / "portico.log", 300
    code = (
        "import logging, os, sys; from portico.log_files import SharedFile\n"
        f"h = SharedFile({str(path)!r}, size=1_000, kept=100)\n"
        "def say(n): h.emit(logging.LogRecord('m', 20, 'f', 1, '%s-%d.', (me, n), None))\n"
        "me = sys.argv[1]; say(0)\n"  # so that the child inherits an open file and its lock
        "child = os.fork()\n"
        "if not child: me += 'f'; say(0)\n"
        f"for n in range(1, {lines}): say(n)\n"
        "if child: os.wait()\n"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], cwd=ROOT, env=environment())
        for number in range(3)
    ]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    written = "".join(
        file.read_text() for file in tmp_path.glob("portico.log*") if file.suffix != ".lock"
    ).split()
    wanted = {f"{me}-{n}." for me in ("0", "1", "2", "0f", "1f", "2f") for n in range(lines)}
    assert sorted(written) == sorted(wanted)
    assert len(list(tmp_path.glob("portico.log.*"))) > 10


def test_the_settings_choose_form_and_file(tmp_path):
    name = unique("logger")
    env = environment(LOG_FORMAT="json", LOG_FILE=str(tmp_path / "logs" / "portico.log"), LOG_LEVEL="INFO")
    code = f"import django; django.setup(); import logging; logging.getLogger({name!r}).info('hello %s', 'ptc_0123456789ab_sEcReT')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    (line,) = [json.loads(line) for line in done.stderr.splitlines() if name in line]
    assert (line["logger"], line["message"]) == (name, "hello ptc_0123456789ab_***")
    (line,) = [line for line in (tmp_path / "logs" / "portico.log").read_text().splitlines() if name in line]
    assert line.split(" | ")[1:] == ["INFO", name, "<module>:1", "hello ptc_0123456789ab_***"]


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path):
    code = "from django.conf import settings; print(json.dumps(settings.CONFIGURATION_PROBLEMS))"
    assert run_code(code, environment(LOG_FILE=str(tmp_path / "new" / "portico.log"))) == []
    (problem,) = run_code(code, environment(LOG_FILE=str(tmp_path)))
    assert problem.startswith("LOG_FILE cannot be written; write the path of a file")


@pytest.fixture
def place():
    return make_place(connectors=("probe",))


async def test_log_lines_of_a_call_have_the_callers_trace(place):
    trace = "0af7651916cd43dd8448eb211c80319c"
    seen = []

    class Seen(logging.Handler):
        def emit(self, record):
            seen.append(trace_context.get())

    handler, logger = Seen(), logging.getLogger("connectors.pipeline")
    logger.addHandler(handler)
    try:
        meta = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        await by_door(modern(place, "tools/call", {"name": "probe_fail", "arguments": {}}, meta=meta))
        await by_door(modern(place, "tools/call", {"name": "probe_fail", "arguments": {}}))
    finally:
        logger.removeHandler(handler)
    assert seen == [trace, ""]
