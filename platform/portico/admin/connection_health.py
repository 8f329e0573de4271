"""A connection's health on its page: state, uptime, a strip of 48 hours, the last changes."""

from typing import Any

from connectors.health.history import Health, Hour, Uptime, health_of, hours_of
from connectors.models import Connection, HealthState

HOURS = 48
STEP, HEIGHT = 10, 24  # the strip's own coordinates; the page stretches it
SOME_FAILED = "mixed"


def health_panel(connection: Connection) -> dict[str, Any]:
    """What the template ``portico/connection_health.html`` shows."""
    health = health_of(connection)
    uptimes = (("24 h", health.day), ("7 d", health.week), ("30 d", health.month))
    return {
        "state": health.state,
        "label": _label(health),
        "colour": "warn"
        if _in_doubt(health)
        else {"ok": "ok", "failing": "bad", "disabled": "warn"}.get(health.state, ""),
        "since": health.since,
        "probing": health.probing,
        "minutes": connection.probe_minutes,
        "next": health.next_probe_at,
        "uptimes": [{"span": span, "shown": shown(uptime), "of": uptime} for span, uptime in uptimes],
        "changes": health.changes,
        "bars": [bar(index, hour) for index, hour in enumerate(hours_of(connection, HOURS))],
        "width": HOURS * STEP,
        "height": HEIGHT,
        "hidden": sorted(connection.hidden_tools.items()),
    }


def _in_doubt(health: Health) -> bool:
    """Whether the last test failed and the next one decides."""
    return health.state in (HealthState.UNKNOWN, HealthState.OK) and bool(
        health.check and health.check.failures
    )


def _label(health: Health) -> str:
    if health.state == "disabled":
        return "switched off"
    if _in_doubt(health):
        return "failed once"
    return str(HealthState(health.state).label)


def shown(uptime: Uptime) -> str:
    """An uptime for people; a dash where nothing was tested."""
    percent = uptime.percent
    return "-" if percent is None else f"{percent:g} %"


def bar(index: int, hour: Hour) -> dict[str, Any]:
    """One hour of the strip: ``kind`` is up, mixed, down or none."""
    tests, failed = hour.uptime.probes, hour.uptime.failures
    if not tests:
        kind, said = "none", "no tests"
    else:
        kind = "up" if not failed else "down" if failed == tests else SOME_FAILED
        said = f"{tests} test{'' if tests == 1 else 's'}, {failed} failed, {hour.uptime.latency_ms} ms on average"
    return {"x": index * STEP + 1, "kind": kind, "label": f"{hour.at:%d %b %H:00} UTC: {said}"}
