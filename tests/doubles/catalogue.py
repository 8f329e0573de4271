"""Which doubles there are, where the sandbox serves them, and with which demo credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.doubles.confluence import Confluence
from tests.doubles.confluence.data_center import DataCenter as ConfluenceDataCenter
from tests.doubles.double import Double
from tests.doubles.github import GitHub
from tests.doubles.jira import Jira
from tests.doubles.jira.data_center import JiraDataCenter
from tests.doubles.salesforce import Salesforce

FIRST_PORT: Final = 8801


@dataclass(frozen=True)
class Entry:
    """A double in the sandbox; ``credentials`` are lines for a person.

    ``path`` is what a connection's address has behind the port.
    """

    kind: type[Double]
    port: int
    credentials: tuple[str, ...]
    first: str  # a first request to try, for curl
    path: str = ""


DOUBLES: Final[dict[str, Entry]] = {
    "jira": Entry(
        Jira, 8801,
        ("e-mail ada@example.com, API token sandbox-jira-token (may do everything)",
         "e-mail bo@example.com, API token sandbox-jira-reader (reads only)"),
        "-u ada@example.com:sandbox-jira-token {url}/rest/api/3/myself",
    ),
    "github": Entry(
        GitHub, 8802,
        ("token sandbox-github-token (octo, may do everything)", "token sandbox-github-reader (mona, reads only)"),
        "-H 'Authorization: Bearer sandbox-github-token' {url}/repos/octo/hello-world",
    ),
    "confluence": Entry(
        Confluence, 8803,
        ("e-mail ada@example.com, API token sandbox-confluence-token (may do everything)",
         "e-mail bo@example.com, API token sandbox-confluence-reader (reads only)"),
        "-u ada@example.com:sandbox-confluence-token {url}/wiki/api/v2/spaces",
    ),
    "salesforce": Entry(
        Salesforce, 8804,
        ("client id sandbox-client-id, client secret sandbox-client-secret (client credentials)",
         "with them: user ada@example.com, password sandbox-password, security token sandbox-security-token",
         "access token sandbox-salesforce-session"),
        "-H 'Authorization: Bearer sandbox-salesforce-session' '{url}/services/data/v66.0/query?q=SELECT+Name+FROM+Account'",
    ),
    "jira-data-center": Entry(
        JiraDataCenter, 8805,
        ("personal access token sandbox-jira-pat (may do everything)",
         "personal access token sandbox-jira-pat-reader (reads only)",
         "or password: user name ada, password sandbox-jira-password"),
        "-H 'Authorization: Bearer sandbox-jira-pat' {url}/rest/api/2/myself",
    ),
    "confluence-data-center": Entry(
        ConfluenceDataCenter, 8806,
        ("personal access token sandbox-pat (may do everything)",
         "or password: user name ada, password sandbox-password"),
        "-H 'Authorization: Bearer sandbox-pat' {url}/rest/api/space",
        ConfluenceDataCenter.context,
    ),
}  # fmt: skip


def told(urls: Mapping[str, str]) -> str:
    """What a person needs to know of running doubles."""
    lines = ["The sandbox runs. Its systems are made up, live in memory, and forget all when it stops.", ""]
    for vendor, url in urls.items():
        entry, url = DOUBLES[vendor], url + DOUBLES[vendor].path
        lines += [f"  {entry.kind.title:<22} {url}", *(f"      {line}" for line in entry.credentials)]
        lines += [f"      curl {entry.first.format(url=url)}", ""]
    lines += [
        "Connect them in a Portico that may reach this machine: PORTICO_SANDBOX=true make run",
        'Break one: curl -d \'{"fault": "too_many", "seconds": 5}\' http://127.0.0.1:<port>/__double__/faults',
        "See docs/sandbox.md. Ctrl-C stops it.",
    ]
    return "\n".join(lines)
