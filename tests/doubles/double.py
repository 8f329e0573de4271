"""A double: a vendor's system as far as a connector uses it, in one readable class.

A subclass names its documents, has one method per operation under ``@route`` and keeps its state
in plain attributes. Every request is checked against the documents before anything else: a
request that breaks one is answered with 400 and stays in ``violations``, which fail the test.
"""

import asyncio
import re
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

from tests.doubles.accounts import Account, Door, Quota
from tests.doubles.documents import Document, Operation, own_document, vendor_document
from tests.doubles.faults import Blow
from tests.doubles.line import Line
from tests.doubles.messages import Answer, Request
from tests.doubles.planning import Faults
from tests.doubles.routing import Route, route

MAX_KEPT = 10_000
__all__ = ["Double", "Hit", "Refused", "Report", "Route", "VendorSpec", "Violation", "route"]


class Refused(Exception):
    """A handler's way to answer with an error from any depth."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True)
class VendorSpec:
    """A vendor's own document: its file, what stands before its paths, and how to read it."""

    file: str
    base: str = ""
    any_of: bool = False

    def load(self) -> Document | None:
        """The document, or None where it is not at hand."""
        return vendor_document(self.file, self.base, self.any_of)


@dataclass
class Hit:
    """A request that met an operation: which, the status of the work done (0: none), the fault that struck.

    ``trace`` is the id of the trace that the request belongs to.
    """

    operation: str
    method: str
    template: str
    status: int = 0
    fault: str = ""
    trace: str = ""


@dataclass
class Violation:
    """A request (or an answer of the double) that breaks a document."""

    document: str
    operation: str
    problems: list[str]

    def __str__(self) -> str:
        return f"{self.operation} breaks {self.document}: {'; '.join(self.problems)}"


@dataclass
class Report:
    """What came in; see the attributes of the same names."""

    operations: list[Hit] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For the control address."""
        counted = Counter(hit.operation for hit in self.operations)
        return {"counts": dict(sorted(counted.items())), **asdict(self)}


class Double:
    """A vendor's system on a socket; see the module.

    ``check_answers`` also holds the double's own successful answers against the documents.
    """

    vendor: ClassVar[str] = ""
    title: ClassVar[str] = ""
    documents: ClassVar[tuple[VendorSpec, ...]] = ()
    routes: ClassVar[list[Route]] = []

    def __init_subclass__(cls) -> None:
        found = [r for name in dir(cls) for r in getattr(getattr(cls, name), "routes", ())]
        # Fixed words before holes: /issue/bulk is not the issue "bulk".
        cls.routes = sorted(found, key=lambda r: (len(r.slashes), len(r.names), r.template))
        cls._patterns = [(r, r.pattern) for r in cls.routes]

    _patterns: ClassVar[list[tuple[Route, re.Pattern[str]]]] = []

    def __init__(self, *, check: bool = True, check_answers: bool = False) -> None:
        self.check, self.check_answers = check, check_answers
        self.url = ""
        self.door = Door()
        self.quota = Quota()
        self.faults = Faults()
        self.requests: deque[Request] = deque(maxlen=MAX_KEPT)
        self.report = Report()
        self.started = time.time()
        self.fill()

    def fill(self) -> None:
        """Make the state that a new installation has: accounts, projects, records."""

    @property
    def operations(self) -> list[Hit]:
        """Which operation each request met, in order."""
        return self.report.operations

    @property
    def violations(self) -> list[Violation]:
        """What broke a document."""
        return self.report.violations

    def plays(self) -> list[str]:
        """The names of all operations that it has for connectors."""
        return sorted({self._operation_of(one) for one in self.routes if not one.spare})

    def verify(self) -> None:
        """Raise AssertionError where a request broke a document."""
        assert not self.violations, "\n".join(map(str, self.violations))

    # What a vendor says in its own way

    def said(self, status: int, message: str) -> Answer:
        """An error in the vendor's words."""
        return Answer(status, {"message": message})

    def unauthorized(self, request: Request) -> Answer:
        """The answer to a credential that is absent or not good."""
        return self.said(401, "Unauthorized")

    def scope_missing(self, route: Route, account: Account) -> Answer:
        """The answer to a good credential that may not do this."""
        return self.said(403, "The credential lacks a scope for this.")

    def exhausted(self, account: Account | None) -> Answer:
        """The answer beyond the quota."""
        return self.said(429, "Rate limit exceeded.")

    def quota_headers(self, account: Account | None) -> dict[str, str]:
        """The vendor's headers about what is left."""
        return {}

    def located(self, request: Request) -> Answer | None:
        """Take away what may stand before a path (``/ex/jira/<cloud>``); an answer refuses."""
        return None

    def finished(self, request: Request, answer: Answer) -> Answer:
        """Add what every answer of the vendor has (an ETag, a trace id)."""
        return answer

    # The way of a request

    async def serve(self, request: Request, line: Line) -> None:
        """Answer one request, or let a fault strike it."""
        if request.path.startswith("/__double__/"):
            from tests.doubles.control import control

            await line.answer(control(self, request))
            return
        self.requests.append(request)
        refused = self.located(request)
        found = None if refused else self._find(request)
        if found is None:
            await line.answer(refused or self._unknown(request))
            return
        operation = self._operation_of(found)
        trace = request.headers.get("traceparent", "")[3:35]
        hit = Hit(operation, found.method, found.template, trace=trace)
        self.operations.append(hit)
        broken = self._broken(found, request)

        def work() -> Answer:
            answer = broken or self._answer(found, request)
            hit.status = answer.status
            return answer

        fault = self.faults.take(found.method, (found.template, operation))
        if fault is None:
            await line.answer(work())
        else:
            hit.fault = fault.kind
            await fault.strike(Blow(self, request, line, work))
        await asyncio.sleep(0)

    def _find(self, request: Request) -> Route | None:
        method = "GET" if request.method == "HEAD" else request.method
        for one, pattern in self._patterns:
            if one.method == method and (match := pattern.fullmatch(request.path)):
                request.parameters = dict(zip(one.names, map(unquote, match.groups()), strict=True))
                return one
        return None

    def _unknown(self, request: Request) -> Answer:
        methods = [one.method for one, pattern in self._patterns if pattern.fullmatch(request.path)]
        said = f"The double plays no {request.method} {request.path}"
        said += f" (but {', '.join(methods)})." if methods else "."
        self.violations.append(Violation("the double", f"{request.method} {request.path}", [said]))
        return Answer(501, {"double": said})

    def _documents_of(self, found: Route) -> list[tuple[Document, Operation]]:
        own = own_document(self.vendor)
        known = [own]
        if not found.undocumented:
            known += [document for spec in self.documents if (document := spec.load()) is not None]
        pairs = [(document, document.operation(found.method, found.template)) for document in known]
        return [(document, operation) for document, operation in pairs if operation is not None]

    def _operation_of(self, found: Route) -> str:
        pairs = self._documents_of(found)
        return pairs[-1][1].id if pairs else f"{found.method} {found.template}"

    def _broken(self, found: Route, request: Request) -> Answer | None:
        if not self.check:
            return None
        before = len(self.violations)
        for document, operation in self._documents_of(found):
            if problems := operation.problems(request):
                self.violations.append(Violation(document.name, operation.id, problems))
        fresh = self.violations[before:]
        return Answer(400, {"double": [str(one) for one in fresh]}) if fresh else None

    def _answer(self, found: Route, request: Request) -> Answer:
        account = request.account = self.door.who(request)
        if account is None and not found.anonymous:
            return self.unauthorized(request)
        if account is not None and not account.may(found.scopes):
            return self.scope_missing(found, account)
        if not self.quota.take(account):
            return self.exhausted(account)
        try:
            said = getattr(self, found.handler)(request)
        except Refused as refused:
            said = refused.answer
        answer = said if isinstance(said, Answer) else Answer(200, said)
        if self.check_answers and 200 <= answer.status < 300:
            self._look_at(found, request, answer)
        answer.headers = {**self.quota_headers(account), **answer.headers}
        return self.finished(request, answer)

    def _look_at(self, found: Route, request: Request, answer: Answer) -> None:
        for document, operation in self._documents_of(found):
            if problems := operation.answer_problems(request, answer):
                name = f"the double's answer to {operation.id}"
                self.violations.append(Violation(document.name, name, problems))
