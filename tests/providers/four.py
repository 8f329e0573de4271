"""Jira, Confluence, GitHub and Salesforce side by side: doubles in threads, one tenant, planted secrets.

``MARKER`` is in every record that lies outside the allow-lists of :func:`fenced`; the secrets
of ``Four.secrets`` are what sign the tenant's calls in, those that the doubles mint included.
"""

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.call_info import CallInfo
from connectors.pipeline import call_tool
from connectors.registry import connector_class
from connectors.services import credential_set, switch_set
from connectors.specs import ToolSpec
from tests.doubles.confluence import Confluence
from tests.doubles.double import Double
from tests.doubles.faults import Blow, Fault
from tests.doubles.github import GitHub
from tests.doubles.github.apps import APP_ID, INSTALLATION
from tests.doubles.jira import Jira
from tests.doubles.running import serving_in_thread
from tests.doubles.salesforce import Salesforce
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant

SYSTEMS: Final = ("jira", "confluence", "github", "salesforce")
MARKER: Final = "beyond-the-fence-Kx4"
REPO: Final = "octo/hello-world"
_PLANTED: Final = "planted-Zq7-{}-secret"


class Echo(Fault):
    """The system says what it was sent: the credential, in its words, in its headers and in the body's."""

    def __init__(self, status: int) -> None:
        super().__init__()
        object.__setattr__(self, "status", status)

    async def happen(self, blow: Blow) -> None:
        sent = blow.request.headers.get("authorization", "")
        with contextlib.suppress(ValueError):
            sent += " " + base64.b64decode(sent.partition(" ")[2], validate=True).decode()
        answer = blow.vendor.said(self.status, f"You sent {sent} and {blow.request.body.decode('latin-1')[:900]}")  # type: ignore[attr-defined]  # fmt: skip
        answer.headers |= {
            "www-authenticate": f'Bearer error="{sent}"',
            "location": f"https://example.com/?{sent}",
        }
        await blow.line.answer(answer)


@dataclass
class Four:
    """The doubles by system, the connections of one tenant to them, and who calls."""

    doubles: dict[str, Any]
    tenant: Any
    connections: dict[str, Any]
    caller: Any
    known: dict[str, dict[str, Any]]  # arguments by their name, for each system
    planted: list[str] = field(default_factory=list)

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        return await call_tool(self.caller, tool, arguments, info=CallInfo(f"four-{tool}"))

    def arguments(self, system: str, spec: ToolSpec) -> dict[str, Any]:
        """Good arguments of a tool: its own, else what its required ones are called."""
        own: dict[str, Any] = OWN.get(spec.name, {})
        names = {*spec.input_schema.get("required", ()), *own}
        return {name: self._value(system, own.get(name, f"{{{name}}}")) for name in names}

    def _value(self, system: str, value: Any) -> Any:
        if isinstance(value, str) and value[:1] == "{" and value[1:-1] in self.known[system]:
            return self.known[system][value[1:-1]]
        return value

    def secrets(self) -> list[str]:
        """What must be nowhere: as planted, as minted, and as it is sent."""
        minted = [*self.doubles["github"].app_tokens, *self.doubles["salesforce"].door.tokens]
        sent = [
            request.headers.get("authorization", "") for d in self.doubles.values() for request in d.requests
        ]
        words = {text.partition(" ")[2] for text in sent} | {*minted, *self.planted}
        return sorted(word for word in words if len(word) > 7)


@contextlib.contextmanager
def four() -> Iterator[dict[str, Any]]:
    """The four doubles, each in a thread; at the end what broke a document fails."""
    made: dict[str, type[Double]] = {
        "jira": Jira,
        "confluence": Confluence,
        "github": GitHub,
        "salesforce": Salesforce,
    }
    with contextlib.ExitStack() as stack:
        doubles = {name: stack.enter_context(serving_in_thread(kind())) for name, kind in made.items()}
        yield doubles


def planted(doubles: dict[str, Any]) -> Four:
    """A tenant without allow-lists, all of whose tools are on, with secrets that the doubles know."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    doubles["github"].app_key = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip
    secrets = {name: _PLANTED.format(name) for name in SYSTEMS}
    for name in ("jira", "confluence"):
        pairs = doubles[name].door.pairs
        pairs["ada@example.com", secrets[name]] = pairs["ada@example.com", f"sandbox-{name}-token"]
    doubles["salesforce"].client = ("sandbox-client-id", secrets["salesforce"])
    credentials = {
        **{name: {"email": "ada@example.com", "token": secrets[name]} for name in ("jira", "confluence")},
        "github": {
            "method": "app",
            "app_id": APP_ID,
            "installation_id": str(INSTALLATION),
            "private_key": pem,
        },
        "salesforce": {"client_id": "sandbox-client-id", "client_secret": secrets["salesforce"]},
    }
    made = _tenant(doubles, credentials, {})
    made.planted = [*secrets.values(), *(line for line in pem.splitlines() if "-----" not in line)]
    return made


def fenced(doubles: dict[str, Any]) -> Four:
    """A tenant whose connections are each for a part of their system; what lies outside has ``MARKER``."""
    jira, confluence, github, salesforce = (doubles[name] for name in SYSTEMS)
    jira.projects["OPS"]["name"] = jira.boards[2]["name"] = MARKER
    for row in jira.issues.values():
        if row["project"] == "OPS":
            row["summary"] = MARKER
    team = next(row for row in confluence.spaces.values() if row["key"] == "TEAM")
    team["name"] = MARKER
    for page in confluence.pages.values():
        if page["space"] == team["id"]:
            page["versions"][-1] |= {"title": f"Team {MARKER}", "body": f"<h2>Orders</h2><p>{MARKER}</p>"}
            page |= {"title": f"Team {MARKER}", "body": page["versions"][-1]["body"]}
            confluence.make_comment(page, f"<p>{MARKER}</p>")
    other = github.repos["octo/secrets.io"]
    other["description"] = MARKER
    github.make_issue(other, "octo", {"title": MARKER, "body": MARKER})
    git = github.git["octo/secrets.io"]
    files = github.tree(
        git, {"README.md": github.blob(git, MARKER.encode()), MARKER: github.blob(git, b"hello")}
    )
    git["refs"]["heads/main"] = git["refs"][f"heads/{MARKER}"] = github.commit(git, files, [], MARKER, "octo")
    for row in salesforce.rows["Opportunity"].values():
        row["Name"] = MARKER
    for kind, values in (("Case", {"Subject": MARKER}), ("Lead", {"LastName": MARKER, "Company": MARKER})):
        salesforce.make(kind, values)
    settings = {
        "jira": {"projects": ["PROJ"]},
        "confluence": {"spaces": ["DOCS"]},
        "github": {"repositories": [REPO]},
        "salesforce": {"objects": ["Account", "Contact"]},
    }
    credentials = {
        **{
            name: {"email": "ada@example.com", "token": f"sandbox-{name}-token"}
            for name in ("jira", "confluence")
        },
        "github": {"method": "classic", "token": "sandbox-github-token"},
        "salesforce": {"method": "access_token", "access_token": "sandbox-salesforce-session"},
    }
    made = _tenant(doubles, credentials, settings)
    made.known["confluence"]["outside"] = next(
        p["id"] for p in confluence.pages.values() if p["space"] == team["id"]
    )
    made.known["salesforce"]["outside"] = next(iter(salesforce.rows["Opportunity"]))
    return made


def only(doubles: dict[str, Any], system: str, credential: dict[str, Any], settings: dict[str, Any]) -> Four:
    """A tenant with one connection, of this credential and these settings."""
    return _tenant(doubles, {system: credential}, {system: settings})


def _tenant(doubles: dict[str, Any], credentials: dict[str, Any], settings: dict[str, Any]) -> Four:
    tenant, connections = make_tenant(), {}
    for name in credentials:
        place = "site" if name in ("jira", "confluence") else "url"
        row = make_connection(
            tenant, name, settings={place: doubles[name].url, **settings.get(name, {})}, credential_mode="shared",
            cache={"enabled": False},
        )  # fmt: skip
        credential_set(row, credentials[name], actor=SYSTEM)
        for toolset in sorted({spec.toolset for spec in connector_class(name).tools.values()}):
            switch_set(row, actor=SYSTEM, toolset=toolset, enabled=True)
        connections[name] = row
    return Four(doubles, tenant, connections, make_caller(tenant), _known(doubles))


def _known(doubles: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is there in the doubles, by the names that arguments have."""
    confluence, github, salesforce = (doubles[name] for name in SYSTEMS[1:])
    page = next(row for row in confluence.pages.values() if row["title"] == "How orders work")
    file = confluence.attach(page, "notes.txt", b"Notes.", "text/plain")
    repo, git = github.repos[REPO], github.git[REPO]
    commit = github.commit(git, github.tree(git, {"a": github.blob(git, b"a")}), [], "A change", "octo")
    git["refs"]["heads/change"] = commit
    pull = {
        "id": github.fresh_id(), "head": "change", "base": "main", "head_sha": commit, "draft": False, "merged_at": None,
        "base_sha": git["refs"]["heads/main"], "merge_sha": None,
    }  # fmt: skip
    number = github.make_issue(repo, "octo", {"title": "A change", "body": "", "pull": pull})["number"]
    git["refs"]["heads/topic"] = commit
    return {
        "jira": {
            "issue_key": "PROJ-1", "issue_keys": ["PROJ-1"], "project_key": "PROJ", "board_id": 1, "sprint_id": 2,
            "jql": "project = PROJ", "query": "order", "issue_type_id": "10001", "attachment_id": "10001",
        },
        "confluence": {
            "page_id": page["id"], "space_key": "DOCS", "query": "order", "question": "What has lines?", "version": 1,
            "from_version": 1, "attachment_id": file["id"], "title": "Made by a test", "content": "Some *text*.",
            "heading": "Orders", "comment": "Read.", "labels": ["read"],
        },
        "github": {
            "repo": REPO, "issue_number": 1, "pull_number": number, "branch_name": "main", "ref": "main", "base": "main",
            "head": "topic", "file_path": "README.md", "query": "hello", "run_id": 1, "path": "src", "title": "Made by a test",
            "body": "Text.",
        },
        "salesforce": {
            "sobject_type": "Account", "record_id": next(iter(salesforce.rows["Account"])), "object": "Account",
            "query": "SELECT Id, Name FROM Account", "text": "acme", "aggregates": ["COUNT(Id)"], "field": "AccountNumber",
            "value": "A-1", "relationship": "Contacts", "report_id": "00O000000000001AAA", "data": {"Name": "Made by a test"},
            "subject": "Call",
        },
    }  # fmt: skip


# Arguments of tools whose required ones alone do not say it.
OWN: Final[dict[str, dict[str, Any]]] = {
    "jira_add_comment": {"comment": "Read."},
    "jira_assign_issue": {"account_id": "me"},
    "jira_build_jql": {"project": "PROJ"},
    "jira_create_issue": {"summary": "Made by a test", "project_key": "PROJ"},
    "jira_get_issue_types": {"project_key": "PROJ"},
    "jira_get_create_metadata": {"project_key": "PROJ"},
    "jira_transition_issue": {"transition": "In Progress"},
    "jira_update_issue": {"fields": {"summary": "Changed by a test"}},
    "confluence_get_attachment": {"attachment_id": "{attachment_id}"},
    "confluence_ask_page": {"page_id": "{page_id}"},
    "confluence_create_page": {"space_key": "DOCS"},
    "confluence_get_page": {"page_id": "{page_id}"},
    "confluence_list_pages": {"space_key": "DOCS"},
    "confluence_update_page": {"content": "Other *text*.\n\n## Orders\n\nLines."},
    "github_create_branch": {"branch_name": "made-by-a-test"},
    "github_commit_multiple_files": {
        "branch": "topic", "files": [{"path": "made.txt", "content": "x"}], "commit_message": "Made",
    },
    "github_create_or_update_file": {
        "file_path": "made.md", "branch": "topic", "content": "x", "commit_message": "Made",
    },
    "github_create_pull_request": {"base": "main"},
    "github_update_issue": {"title": "Changed"},
    "github_update_pull_request": {"title": "Changed"},
    "salesforce_search": {"text": "acme"},
    "salesforce_update_record": {"data": {"Industry": "Retail"}},
}  # fmt: skip


def texts_of(result: Any) -> str:
    """All that a caller sees of a result."""
    return json.dumps(
        [result.structured, [vars_of(part) for part in result.content], result.meta], default=str
    )


def vars_of(part: Any) -> Any:
    return (
        {name: getattr(part, name) for name in part.__slots__} if hasattr(part, "__slots__") else repr(part)
    )
