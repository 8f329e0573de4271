"""The control address of a double in a process of its own: ``/__double__/…``."""

from typing import Any

from tests.doubles.double import Double
from tests.doubles.faults import fault_of
from tests.doubles.messages import Answer, Request


def control(double: Double, request: Request) -> Answer:
    """Answer a request to the control address.

    ``GET report`` tells the operations that were met and what broke a document; ``POST faults``
    plans one fault or a list (``{"fault": "too_many", "seconds": 2, "times": 3, "method": "GET",
    "path": "getIssue"}``); ``DELETE faults`` plans none; ``POST reset`` makes the state new.
    """
    match (request.method, request.path.removeprefix("/__double__/").strip("/")):
        case ("GET", "health"):
            return Answer(200, {"double": double.vendor, "requests": len(double.requests)})
        case ("GET", "report"):
            return Answer(200, double.report.as_dict())
        case ("GET", "faults"):
            planned = [
                {**p.fault.as_dict(), "times": p.times, "method": p.method, "path": p.path}
                for p in double.faults.plans
            ]
            return Answer(200, {"planned": planned, "struck": double.faults.struck})
        case ("POST", "faults"):
            return _plan(double, request.json)
        case ("DELETE", "faults"):
            double.faults.clear()
            return Answer(204)
        case ("POST", "reset"):
            check, answers, url = double.check, double.check_answers, double.url
            double.__init__(check=check, check_answers=answers)  # type: ignore[misc]
            double.url = url
            return Answer(204)
    return Answer(404, {"double": "There are health, report, faults and reset."})


def _plan(double: Double, said: Any) -> Answer:
    for values in said if isinstance(said, list) else [said]:
        if not isinstance(values, dict):
            return Answer(400, {"double": "A fault is an object."})
        options = dict(values)
        when = {name: options.pop(name) for name in ("times", "method", "path", "chance") if name in options}
        try:
            double.faults.add(fault_of(options), **when)
        except (ValueError, TypeError) as error:
            return Answer(400, {"double": str(error)})
    return Answer(201, {"planned": len(double.faults.plans)})
