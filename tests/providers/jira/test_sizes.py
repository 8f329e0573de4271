"""Typical answers beside Jira's own: at most half of what a plain client is told.

The double tells issues as a site of some years does: every field on every screen, most of them
null, people and projects with their avatars.
"""

from typing import Any

import pytest

from tests.doubles.atlassian import ADA
from tests.doubles.fixtures import double_fixture
from tests.doubles.jira import Jira, records
from tests.providers.jira.conftest import ADA as ADAS
from tests.providers.sizes import demand_small, shares

CUSTOM_FIELDS = range(10_030, 10_150)
TEXT = (
    "When an order has two suppliers and the second one is chosen, the page shows the first one's price. "
    "Seen in Firefox and Chrome since the release of last week; customers notice it in the confirmation. "
)
ISSUES = 30


def prose(*texts: str) -> dict[str, Any]:
    """A document of ADF with a paragraph per text."""
    paragraphs = [{"type": "paragraph", "content": [{"type": "text", "text": text}]} for text in texts]
    return {"type": "doc", "version": 1, "content": paragraphs}


class OldSite(Jira):
    """Jira with a site's usual load of fields."""

    def fill(self) -> None:
        super().fill()
        for number in range(ISSUES):
            values = {"summary": f"The price of supplier {number} is another's", "issuetype": "10003"}
            row = self.make(
                self.projects["PROJ"],
                {**values, "reporter": ADA, "assignee": ADA, "labels": ["orders", "prices"],
                 "description": prose(TEXT, TEXT, "Steps: choose, confirm, look.")},
            )  # fmt: skip
            row["status"], row["sprint"] = "3", 2
        self.big = next(row for row in self.issues.values() if row["sprint"] == 2 and row["assignee"])
        base = "https://acme.atlassian.net"
        author = records.person(base, self.people[ADA])
        self.big["comments"] = [
            {"self": f"{base}/rest/api/3/issue/{self.big['id']}/comment/{20_000 + number}", "id": str(20_000 + number),
             "author": author, "updateAuthor": author, "body": prose(f"{number}: {TEXT}"), "jsdPublic": True,
             "created": "2026-10-01T08:00:00.000+0000", "updated": "2026-10-01T08:00:00.000+0000"}
            for number in range(25)
        ]  # fmt: skip
        self.big["history"] = [
            {"id": str(30_000 + number), "author": author, "created": "2026-10-01T08:00:00.000+0000",
             "items": [{"field": "status", "fieldtype": "jira", "fieldId": "status", "from": "10000",
                        "fromString": "To Do", "to": "3", "toString": "In Progress"}]}
            for number in range(25)
        ]  # fmt: skip
        self.projects |= {
            f"TEAM{number}": {"id": str(11_000 + number), "key": f"TEAM{number}", "name": f"Team {number}", "count": 0}
            for number in range(25)
        }  # fmt: skip

    def all_fields(self, base: str, row: dict[str, Any]) -> dict[str, Any]:
        place = f"{base}/rest/api/3/issue/{row['key']}"
        none = {"progress": 0, "total": 0}
        return {
            **dict.fromkeys(f"customfield_{number}" for number in CUSTOM_FIELDS),
            **super().all_fields(base, row),
            "customfield_10019": f"0|i{row['id']}:",
            "customfield_10000": "{}",
            "customfield_10021": [],
            "statuscategorychangedate": "2026-10-01T08:00:00.000+0000",
            "creator": records.person(base, self.people[row["reporter"]]),
            "votes": {"self": f"{place}/votes", "votes": 0, "hasVoted": False},
            "watches": {"self": f"{place}/watchers", "watchCount": 1, "isWatching": True},
            "worklog": {"startAt": 0, "maxResults": 20, "total": 0, "worklogs": []},
            "timetracking": {}, "progress": none, "aggregateprogress": none, "workratio": -1, "versions": [],
            "issuerestriction": {"issuerestrictions": {}, "shouldDisplay": False}, "security": None,
            "environment": None, "timespent": None, "timeestimate": None, "timeoriginalestimate": None,
            "aggregatetimespent": None, "aggregatetimeestimate": None, "aggregatetimeoriginalestimate": None,
            "lastViewed": None,
        }  # fmt: skip


jira = double_fixture(OldSite)


@pytest.fixture
def big(jira) -> str:
    return str(jira.big["key"])


async def test_search_get_and_lists_are_at_most_half_of_jiras_own_answers(call, jira, big) -> None:
    v3, agile = "/rest/api/3", "/rest/agile/1.0"
    jql = "project = PROJ ORDER BY created DESC"
    query = f"{v3}/search/jql?jql={jql}&fields=*navigable"
    mine = f"{v3}/search/jql?jql=assignee = currentUser() AND statusCategory != Done&fields=*navigable"
    rows = [
        ("jira_search_issues", {"jql": jql, "max_results": 10}, f"{query}&maxResults=10"),
        ("jira_get_issue", {"issue_key": big}, f"{v3}/issue/{big}"),
        ("jira_get_my_issues", {"max_results": 25}, f"{mine}&maxResults=25"),
        ("jira_get_sprint_issues", {"sprint_id": 2, "limit": 25}, f"{agile}/sprint/2/issue?maxResults=25"),
        ("jira_get_comments", {"issue_key": big, "limit": 25}, f"{v3}/issue/{big}/comment?maxResults=25"),
        ("jira_get_changelog", {"issue_key": big, "limit": 25}, f"{v3}/issue/{big}/changelog?maxResults=25"),
        ("jira_get_projects", {"limit": 25}, f"{v3}/project/search?maxResults=25"),
    ]
    found = await shares(call, rows, jira.url, auth=(ADAS["email"], ADAS["token"]))
    demand_small(found)


async def test_with_a_search_s_own_fields_alone_jira_still_says_twice_as_much(call, jira) -> None:
    """Trimming is not only leaving out fields: the same fields are half as long."""
    fields = "summary,status,issuetype,priority,assignee,updated,labels,parent"
    jql = "project = PROJ ORDER BY created DESC"
    path = f"/rest/api/3/search/jql?jql={jql}&maxResults=10&fields={fields}"
    row = ("jira_search_issues", {"jql": jql, "max_results": 10}, path)
    demand_small(await shares(call, [row], jira.url, auth=(ADAS["email"], ADAS["token"])))
