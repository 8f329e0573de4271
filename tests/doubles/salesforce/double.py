"""Salesforce: sign-in, sessions, queries."""

import base64
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tests.doubles.accounts import Account, Door
from tests.doubles.double import Double, Refused, Route, route
from tests.doubles.faults import Blow, Fault
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import atlassian, now
from tests.doubles.salesforce import soql
from tests.doubles.salesforce.objects import OBJECTS, PREFIXES

DATA = "/services/data/{version}"
BATCH = 200
USER = "005000000000001AAA"
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


class Org(Double):
    """An org with a few accounts, contacts and opportunities. Tokens live until ``end_sessions``."""

    vendor = "salesforce"
    title = "Salesforce"

    def fill(self) -> None:
        self.ada = Account(USER, "Ada Lovelace", "ada@example.com")
        self.door = Door({"sandbox-salesforce-session": self.ada})
        self.quota.limit, self.quota.seconds = 15_000, 86_400
        self.client = ("sandbox-client-id", "sandbox-client-secret")
        self.password = "sandbox-passwordsandbox-security-token"
        self.count = 0
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in OBJECTS}
        self.cursors: dict[str, list[dict[str, Any]]] = {}
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
            atlassian(now()),
        )
        stamps = {"CreatedDate": moment, "LastModifiedDate": moment, "SystemModstamp": moment}
        self.rows[kind][id] = {"Id": id, "OwnerId": USER, "IsDeleted": False, **stamps, **values}
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

    # Signing in

    @route("POST", "/services/oauth2/token", anonymous=True)
    def token(self, request: Request) -> Answer:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        client = (form.get("client_id", ""), form.get("client_secret", ""))
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            client = (name, secret)
        if client[0] != self.client[0]:
            return _no_token("invalid_client_id", "client identifier invalid")
        if client != self.client:
            return _no_token("invalid_client", "invalid client credentials")
        match form["grant_type"]:
            case "client_credentials":
                pass
            case "password":
                if (form.get("username"), form.get("password")) != (self.ada.email, self.password):
                    return _no_token("invalid_grant", "authentication failure")
            case _:
                return _no_token("unsupported_grant_type", "grant type not supported")
        token = f"00D000000000001!{secrets.token_hex(16)}"
        self.door.tokens[token] = self.ada
        return Answer(200, {
            "access_token": token, "instance_url": request.base_url, "token_type": "Bearer", "scope": "api",
            "id": f"{request.base_url}/id/00D000000000001AAA/{USER}", "issued_at": str(int(now().timestamp() * 1000)),
            "signature": "c2FuZGJveA==",
        })  # fmt: skip

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
        found = self.rows.get(parent, {}).get(row.get(f"{parent}Id") or "")
        return self.value(found, rest) if found else None

    @route("GET", DATA + "/query")
    def query(self, request: Request) -> Any:
        return self._queried(request, deleted=False)

    @route("GET", DATA + "/queryAll")
    def query_all(self, request: Request) -> Any:
        return self._queried(request, deleted=True)

    def _queried(self, request: Request, *, deleted: bool) -> Any:
        try:
            query = soql.parse(request.one("q"), self.value)
            kind = self._kind(query.object, "INVALID_TYPE")
        except soql.SoqlError as error:
            raise refuse(400, error.code, str(error)) from error
        for field in [] if query.count else [*query.fields, *(name for name, _ in query.order)]:
            self._known(kind, field)
        rows = [
            row
            for row in self.rows[kind].values()
            if (deleted or not row["IsDeleted"]) and query.matches(row)
        ]
        if query.count:
            return {"totalSize": len(rows), "done": True, "records": []}
        for field, descending in reversed(query.order):
            rows.sort(
                key=lambda row: (self.value(row, field) is not None, self.value(row, field) or 0),
                reverse=descending,
            )
        rows = rows[query.offset :][: query.limit]
        told = [self._told(request, kind, row, query.fields) for row in rows]
        return self._batch(request, told, 0, len(told))

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

    def _known(self, kind: str, field: str) -> None:
        parent, dot, rest = field.partition(".")
        if dot and parent in OBJECTS and f"{parent}Id" in OBJECTS[kind]:
            return self._known(parent, rest)
        if dot or field.lower() not in {name.lower() for name in OBJECTS[kind]}:
            raise refuse(400, "INVALID_FIELD", f"No such column '{field}' on entity '{kind}'.")
        return None

    def _told(
        self, request: Request, kind: str, row: dict[str, Any], fields: list[str] | None = None
    ) -> dict[str, Any]:
        url = f"/services/data/{request.parameters['version']}/sobjects/{kind}/{row['Id']}"
        told: dict[str, Any] = {"attributes": {"type": kind, "url": url}}
        for field in fields or list(OBJECTS[kind]):
            parent, dot, rest = field.partition(".")
            if dot:
                told.setdefault(parent, {"attributes": {"type": parent}})[rest] = self.value(row, field)
            else:
                told[field] = self.value(row, field)
        return told

    def _batch(self, request: Request, rows: list[dict[str, Any]], start: int, total: int) -> dict[str, Any]:
        part, rest = rows[:BATCH], rows[BATCH:]
        told: dict[str, Any] = {"totalSize": total, "done": not rest, "records": part}
        if rest:
            locator = f"01g{secrets.token_hex(8)}-{start + BATCH}"
            self.cursors[locator] = rest
            told["nextRecordsUrl"] = f"/services/data/{request.parameters['version']}/query/{locator}"
        return told

    @route("GET", DATA + "/query/{locator}")
    def query_more(self, request: Request) -> Any:
        locator = request.parameters["locator"]
        if locator not in self.cursors:
            raise refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        rows, start = self.cursors[locator], int(locator.rpartition("-")[2])
        return self._batch(request, rows, start, start + len(rows))


def _no_token(error: str, description: str) -> Answer:
    return Answer(400, {"error": error, "error_description": description})
