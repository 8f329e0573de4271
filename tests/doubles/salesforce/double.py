"""Salesforce: sign-in, sessions, queries."""

import secrets
from dataclasses import dataclass
from typing import Any

from tests.doubles.accounts import Account, Door
from tests.doubles.double import Refused, Route, route
from tests.doubles.faults import Blow, Fault
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import atlassian, now
from tests.doubles.salesforce import soql
from tests.doubles.salesforce.objects import CHILDREN, OBJECTS, PREFIXES, REFERENCES, reference
from tests.doubles.salesforce.signing import USER, SignIn

DATA = "/services/data/{version}"
BATCH = 200
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def refuse(status: int, code: str, message: str, *fields: str) -> Refused:
    """Salesforce's error: a list of one."""
    more = {"fields": list(fields)} if fields else {}
    return Refused(Answer(status, [{"message": message, "errorCode": code, **more}]))


@dataclass(frozen=True)
class LockedRow(Fault):
    """A row that another transaction holds: nothing was done, come again."""

    kind = "locked_row"

    async def happen(self, blow: Blow) -> None:
        said = "unable to obtain exclusive access to this record or 1 records"
        await blow.line.answer(refuse(400, "UNABLE_TO_LOCK_ROW", said).answer)


@dataclass(frozen=True)
class TooManyAtOnce(Fault):
    """More long requests at one time than the org may have: nothing was done, come again."""

    kind = "too_many_at_once"

    async def happen(self, blow: Blow) -> None:
        said = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
        await blow.line.answer(refuse(403, "REQUEST_LIMIT_EXCEEDED", said).answer)


def stamp() -> str:
    """This moment as Salesforce keeps it: to the second."""
    return atlassian(now().replace(microsecond=0))


class Org(SignIn):
    """An org with a few accounts, contacts and opportunities. Tokens live until ``end_sessions``."""

    vendor = "salesforce"
    title = "Salesforce"

    def fill(self) -> None:
        self.ada = Account(USER, "Ada Lovelace", "ada@example.com")
        self.door = Door({"sandbox-salesforce-session": self.ada})
        self.quota.limit, self.quota.seconds = 15_000, 86_400
        self.client = ("sandbox-client-id", "sandbox-client-secret")
        self.refresh, self.rotates, self.certificate = "sandbox-refresh-token", False, ""
        self.password = "sandbox-passwordsandbox-security-token"
        self.count = 0
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in OBJECTS}
        self.cursors: dict[str, list[dict[str, Any]]] = {}
        self.rows["User"][USER] = {
            "Id": USER,
            "Name": self.ada.name,
            "Email": self.ada.email,
            "IsDeleted": False,
        }
        acme = self.make("Account", {"Name": "Acme", "Industry": "Manufacturing", "AccountNumber": "A-1"})
        self.make("Account", {"Name": "O'Hara & Sons", "Industry": "Retail", "AccountNumber": "A-2"})
        self.make(
            "Contact",
            {"FirstName": "Wile", "LastName": "Coyote", "Email": "wile@example.com", "AccountId": acme},
        )
        self.make(
            "Opportunity",
            {
                "Name": "Anvils",
                "StageName": "Prospecting",
                "CloseDate": "2030-01-31",
                "Amount": 1200.0,
                "AccountId": acme,
            },
        )

    def end_sessions(self) -> None:
        """End every session, as an org's timeout does."""
        self.door.tokens.clear()

    def make(self, kind: str, values: dict[str, Any]) -> str:
        """A new record; its id has 18 characters, the last three a checksum of the case."""
        self.count += 1
        short = f"{PREFIXES[kind]}{self.count:012d}"
        flags = [sum(1 << i for i, c in enumerate(short[n : n + 5]) if c.isupper()) for n in (0, 5, 10)]
        id, moment = (
            short + "".join(_DIGITS[10 + flag] if flag < 26 else str(flag - 26) for flag in flags),
            stamp(),
        )
        stamps = {"CreatedDate": moment, "LastModifiedDate": moment, "SystemModstamp": moment}
        by = {"OwnerId": USER, "CreatedById": USER, "LastModifiedById": USER}
        made = {"Id": id, **by, "IsDeleted": False, **stamps, **values}
        if kind in ("Contact", "Lead"):
            made["Name"] = " ".join(
                part for part in (values.get("FirstName"), values.get("LastName")) if part
            )
        if "IsClosed" in OBJECTS[kind]:
            stage = values.get("StageName", "")
            made["IsClosed"] = values.get("Status") in ("Closed", "Completed") or stage.startswith("Closed")
        if kind == "Case":
            made["CaseNumber"] = f"{self.count:08d}"
        if kind == "ContentVersion":
            made["ContentDocumentId"] = id.replace("068", "069", 1)
        if kind == "Event":
            made["ActivityDate"] = str(values.get("StartDateTime", ""))[:10] or None
        self.rows[kind][id] = made
        return id

    # In Salesforce's words

    def said(self, status: int, message: str) -> Answer:
        codes = {
            401: "INVALID_SESSION_ID",
            403: "REQUEST_LIMIT_EXCEEDED",
            404: "NOT_FOUND",
            503: "SERVER_UNAVAILABLE",
        }
        return refuse(status, codes.get(status, "UNKNOWN_EXCEPTION"), message).answer

    def unauthorized(self, request: Request) -> Answer:
        return self.said(401, "Session expired or invalid")

    def scope_missing(self, route: Route, account: Account) -> Answer:
        return refuse(403, "INSUFFICIENT_ACCESS", "insufficient access rights").answer

    def exhausted(self, account: Account | None) -> Answer:
        return self.said(403, "TotalRequests Limit exceeded.")

    def quota_headers(self, account: Account | None) -> dict[str, str]:
        used = self.quota.limit - self.quota.left(account)
        return {"sforce-limit-info": f"api-usage={used}/{self.quota.limit}"} if account else {}

    @route("GET", "/services/oauth2/userinfo")
    def userinfo(self, request: Request) -> Any:
        account = request.account
        return {"sub": f"{request.base_url}/id/00D000000000001AAA/{account.id}", "user_id": account.id,
                "organization_id": "00D000000000001AAA", "preferred_username": account.email, "name": account.name,
                "email": account.email, "zoneinfo": "Etc/UTC", "active": True}  # fmt: skip

    # Queries

    def value(self, row: dict[str, Any], field: str) -> Any:
        """A field of a record, or of its parent (``Account.Name``)."""
        parent, dot, rest = field.partition(".")
        if not dot:
            return next((value for name, value in row.items() if name.lower() == field.lower()), None)
        id = row.get(reference(parent)) or ""
        found = next((rows[id] for rows in self.rows.values() if id in rows), None)
        return self.value(found, rest) if found else None

    @route("GET", DATA + "/query")
    def query(self, request: Request) -> Any:
        return self._queried(request, deleted=False)

    @route("GET", DATA + "/queryAll")
    def query_all(self, request: Request) -> Any:
        return self._queried(request, deleted=True)

    def _queried(self, request: Request, *, deleted: bool) -> Any:
        if explained := request.one("explain"):
            return self._explained(explained)
        return self._found(request, request.one("q"), deleted=deleted)

    def _explained(self, text: str) -> Any:
        kind, _, _ = self._parsed(text)
        plan = {"cardinality": len(self.rows[kind]), "fields": [], "leadingOperationType": "TableScan", "notes": [],
                "relativeCost": 0.5, "sobjectCardinality": len(self.rows[kind]), "sobjectType": kind}  # fmt: skip
        return {"plans": [plan], "sourceQuery": text}

    def _parsed(self, text: str, parent: str = "") -> tuple[str, soql.Query, list[str]]:
        """A query's object, the query, and its subqueries."""
        try:
            whole, inner = soql.lifted(soql.spelled_out(text, OBJECTS))
            query = soql.parse(whole, self.value, lambda place: self._values(inner[place]))
            child = CHILDREN.get(parent, {}).get(query.object)
            kind = child[0] if child else self._kind(query.object, "INVALID_TYPE")
        except soql.SoqlError as error:
            raise refuse(400, error.code, str(error)) from error
        own = [field for field in query.fields if not field.startswith("@")]
        checked = [] if query.count else [*own, *(name for name, _ in query.order)]
        if twice := {
            name.lower() for name in checked if [one.lower() for one in own].count(name.lower()) > 1
        }:
            raise refuse(400, "MALFORMED_QUERY", f"duplicate field selected: {min(twice)}")
        for field in (soql.argument(one) for one in [*checked, *query.groups]):
            if field:
                self._known(kind, field)
        return kind, query, inner

    def _values(self, text: str) -> list[Any]:
        """The values of a semi-join."""
        kind, query, _ = self._parsed(text)
        rows = [row for row in self.rows[kind].values() if not row["IsDeleted"] and query.matches(row)]
        return [self.value(row, query.fields[0]) for row in rows]

    def _found(self, request: Request, text: str, *, deleted: bool) -> Any:
        kind, query, inner = self._parsed(text)
        rows = self._sorted(kind, query, deleted=deleted)
        if query.count:
            return {"totalSize": len(rows), "done": True, "records": []}
        if query.aggregates:
            try:
                told = soql.grouped(rows, query, self.value)[: query.limit]
            except soql.SoqlError as error:
                raise refuse(400, error.code, str(error)) from error
            return self._batch(request, told, 0, len(told))
        rows = rows[query.offset :][: query.limit]
        own = [field for field in query.fields if not field.startswith("@")]
        told = [self._told(request, kind, row, own) for row in rows]
        for field in query.fields:
            if field.startswith("@"):
                for row, one in zip(rows, told, strict=True):
                    self._nest(request, kind, row, one, inner[int(field[1:])])
        return self._batch(request, told, 0, len(told))

    def _sorted(self, kind: str, query: soql.Query, *, deleted: bool) -> list[dict[str, Any]]:
        rows = [
            row
            for row in self.rows[kind].values()
            if (deleted or not row["IsDeleted"]) and query.matches(row)
        ]
        for field, descending in reversed([] if query.aggregates else query.order):
            rows.sort(
                key=lambda row: (self.value(row, field) is not None, self.value(row, field) or 0),
                reverse=descending,
            )
        return rows

    def _nest(
        self, request: Request, kind: str, row: dict[str, Any], told: dict[str, Any], text: str
    ) -> None:
        child, query, _ = self._parsed(text, kind)
        if query.object not in CHILDREN.get(kind, {}):
            said = f"Didn't understand relationship '{query.object}' in FROM part of query call."
            raise refuse(400, "INVALID_TYPE", said)
        back = CHILDREN[kind][query.object][1]
        rows = [one for one in self._sorted(child, query, deleted=False) if one.get(back) == row["Id"]]
        records = [self._told(request, child, one, query.fields) for one in rows[: query.limit]]
        told[query.object] = {"totalSize": len(rows), "done": True, "records": records} if records else None

    def _kind(self, name: str, code: str = "NOT_FOUND") -> str:
        for kind in OBJECTS:
            if kind.lower() == name.lower():
                return kind
        said = (
            f"sObject type '{name}' is not supported."
            if code == "INVALID_TYPE"
            else "The requested resource does not exist"
        )
        raise refuse(400 if code == "INVALID_TYPE" else 404, code, said)

    def _known(self, kind: str, field: str) -> Any:
        parent, dot, rest = field.partition(".")
        targets = REFERENCES.get(reference(parent), []) if dot and reference(parent) in OBJECTS[kind] else []
        if any(rest.partition(".")[0] in OBJECTS[target] for target in targets):
            return None
        if targets and "." in rest:
            return self._known(targets[0], rest)
        if dot or field.lower() not in {name.lower() for name in OBJECTS[kind]}:
            raise refuse(400, "INVALID_FIELD", f"No such column '{field}' on entity '{kind}'.")
        return None

    def _told(
        self, request: Request, kind: str, row: dict[str, Any], fields: list[str] | None = None
    ) -> dict[str, Any]:
        url = f"/services/data/{request.parameters['version']}/sobjects/{kind}/{row['Id']}"
        told: dict[str, Any] = {"attributes": {"type": kind, "url": url}}
        for field in fields or list(OBJECTS[kind]):
            if "." in field:
                self._tell_parent(request, told, row, field)
            else:
                told[field] = self.value(row, field)
        return told

    def _tell_parent(self, request: Request, told: dict[str, Any], row: dict[str, Any], field: str) -> None:
        *steps, last = field.split(".")
        for step in steps:
            id = row.get(reference(step)) or ""
            found = next(((kind, rows[id]) for kind, rows in self.rows.items() if id in rows), None)
            if found is None:
                told[step] = None
                return
            kind, row = found
            url = f"/services/data/{request.parameters['version']}/sobjects/{kind}/{id}"
            told = told.setdefault(step, {"attributes": {"type": kind, "url": url}})
        told[last] = self.value(row, last)

    def _batch(self, request: Request, rows: list[dict[str, Any]], start: int, total: int) -> dict[str, Any]:
        part, rest = rows[:BATCH], rows[BATCH:]
        told: dict[str, Any] = {"totalSize": total, "done": not rest, "records": part}
        if rest:
            locator = f"01g{secrets.token_hex(8)}-{start + BATCH}"
            self.cursors[locator] = rest
            told["nextRecordsUrl"] = f"/services/data/{request.parameters['version']}/query/{locator}"
        return told

    @route("GET", DATA)
    def root(self, request: Request) -> Any:
        return {
            "query": f"{request.path}/query",
            "identity": f"https://login.salesforce.com/id/00D000000000001AAA/{USER}",
        }

    @route("GET", DATA + "/query/{locator}")
    def query_more(self, request: Request) -> Any:
        locator = request.parameters["locator"]
        if locator not in self.cursors:
            raise refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        rows, start = self.cursors[locator], int(locator.rpartition("-")[2])
        return self._batch(request, rows, start, start + len(rows))
