"""What Jira's and Confluence's Cloud have in common: sites, scoped addresses, quotas, refusals."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from tests.doubles.accounts import Account, Door
from tests.doubles.double import Double, Refused, Route, route
from tests.doubles.messages import Answer, Request

CLOUD_ID = "11111111-2222-3333-4444-555555555555"
ADA = "5b10a2844c20165700ede21a"
BO = "5b10a2844c20165700ede21b"


class Atlassian(Double):
    """A site. It answers at its own address and as ``/ex/<product>/<cloud id>`` of api.atlassian.com.

    Basic (e-mail and API token) and, at the second address, Bearer. Ada may do everything, Bo's
    token reads only.
    """

    product: ClassVar[str] = ""
    read_scopes: ClassVar[frozenset[str]] = frozenset()

    def fill(self) -> None:
        ada = Account(ADA, "Ada Lovelace", "ada@example.com")
        bo = Account(BO, "Bo Reader", "bo@example.com", self.read_scopes)
        self.people = {person.id: person for person in (ada, bo)}
        self.door = Door(
            tokens={f"sandbox-{self.product}-oauth": ada, f"sandbox-{self.product}-reader": bo},
            pairs={
                (ada.email, f"sandbox-{self.product}-token"): ada,
                (bo.email, f"sandbox-{self.product}-reader"): bo,
            },
        )

    @route("GET", "/_edge/tenant_info", anonymous=True, undocumented=True)
    def tenant_info(self, request: Request) -> Any:
        return {"cloudId": CLOUD_ID}

    def said(self, status: int, message: str) -> Answer:
        return jira_error(status, (message,), {})

    def located(self, request: Request) -> Answer | None:
        if not request.path.startswith("/ex/"):
            return None
        product, _, rest = request.path.removeprefix("/ex/").partition("/")
        cloud, _, rest = rest.partition("/")
        if (product, cloud) != (self.product, CLOUD_ID):
            return Answer(404, {"code": 404, "message": "Not Found"})
        request.path = f"/{rest}"
        request.base_url += f"/ex/{product}/{cloud}"
        return None

    def unauthorized(self, request: Request) -> Answer:
        if "/ex/" in request.base_url:
            return Answer(401, {"code": 401, "message": "Unauthorized"})
        answer = self.said(401, "Client must be authenticated to access this resource.")
        if "authorization" in request.headers:
            answer.headers = {"x-seraph-loginreason": "AUTHENTICATED_FAILED"}
        return answer

    def scope_missing(self, route: Route, account: Account) -> Answer:
        return Answer(401, {"code": 401, "message": "Unauthorized; scope does not match"})

    def exhausted(self, account: Account | None) -> Answer:
        answer = self.said(429, "Rate limit exceeded")
        wait = max(1, int(self.quota.resets_at - datetime.now(UTC).timestamp()))
        answer.headers = {"retry-after": str(wait), "ratelimit-reason": "jira-quota-tenant-based"}
        return answer

    def quota_headers(self, account: Account | None) -> dict[str, str]:
        left, resets = self.quota.left(account), datetime.fromtimestamp(self.quota.resets_at, UTC)
        headers = {
            "x-ratelimit-limit": str(self.quota.limit),
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": resets.strftime("%Y-%m-%dT%H:%MZ"),
        }
        if left * 5 < self.quota.limit:
            headers["x-ratelimit-nearlimit"] = "true"
        return headers


def adf(text: str) -> dict[str, Any]:
    """A text as an Atlassian document."""
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [paragraph] if text else []}


def is_adf(value: Any) -> bool:
    """Whether a value looks like an Atlassian document."""
    return isinstance(value, dict) and value.get("type") == "doc" and isinstance(value.get("content"), list)


def text_of(document: Any) -> str:
    """The words of an Atlassian document."""
    if isinstance(document, dict):
        return " ".join([str(document.get("text", "")), *map(text_of, document.get("content", []))]).strip()
    return ""


def refuse(status: int, *messages: str, **errors: str) -> Refused:
    """Jira's error: messages, and errors by field."""
    return Refused(jira_error(status, messages, errors))


def jira_error(status: int, messages: tuple[str, ...], errors: Mapping[str, str]) -> Answer:
    """As above, as an answer."""
    return Answer(status, {"errorMessages": list(messages), "errors": dict(errors)})
