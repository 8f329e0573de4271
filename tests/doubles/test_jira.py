"""The double of Jira: what was written is read back, in Jira's words."""

import pytest

from tests.doubles.atlassian import BO, CLOUD_ID, adf
from tests.doubles.jira import Jira
from tests.doubles.running import serving

API = "/rest/api/3"
AGILE = "/rest/agile/1.0"


async def made(ada, **fields):
    body = {"project": {"key": "PROJ"}, "summary": "A thing", "issuetype": {"name": "Task"}, **fields}
    answer = await ada.post(f"{API}/issue", json={"fields": body})
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]


async def found(ada, jql, **more):
    answer = await ada.post(f"{API}/search/jql", json={"jql": jql, "fields": ["summary"], **more})
    assert answer.status_code == 200, answer.text
    return [row["key"] for row in answer.json()["issues"]]


async def test_an_issue_is_made_read_changed_and_deleted(ada):
    key = await made(ada, description=adf("Why."), labels=["x"], priority={"name": "High"})
    assert key == "PROJ-4"
    issue = (await ada.get(f"{API}/issue/{key}")).json()["fields"]
    assert (issue["summary"], issue["labels"], issue["priority"]["name"]) == ("A thing", ["x"], "High")
    assert issue["description"] == adf("Why.")
    change = {"fields": {"summary": "Another"}, "update": {"labels": [{"add": "y"}, {"remove": "x"}]}}
    assert (await ada.put(f"{API}/issue/{key}", json=change)).status_code == 204
    assert (await ada.put(f"{API}/issue/{key}/assignee", json={"accountId": BO})).status_code == 204
    read = await ada.get(
        f"{API}/issue/{key}", params={"fields": "summary,labels,assignee", "expand": "changelog"}
    )
    fields = read.json()["fields"]
    assert set(fields) == {"summary", "labels", "assignee"}
    assert (fields["labels"], fields["assignee"]["displayName"]) == (["y"], "Bo Reader")
    assert len(read.json()["changelog"]["histories"]) == 2
    assert (await ada.delete(f"{API}/issue/{key}")).status_code == 204
    gone = await ada.get(f"{API}/issue/{key}")
    assert (gone.status_code, gone.json()["errors"]) == (404, {})
    assert "does not exist" in gone.json()["errorMessages"][0]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"summary": ""}, "summary"),
        ({"project": {"key": "NOPE"}}, "project"),
        ({"issuetype": {"name": "Wish"}}, "issuetype"),
        ({"assignee": {"accountId": "nobody"}}, "assignee"),
        ({"customfield_99": 1}, "customfield_99"),
        ({"description": {"text": "no document"}}, "description"),
    ],
)
async def test_a_field_that_is_wrong_is_named(ada, fields, field):
    body = {"project": {"key": "PROJ"}, "summary": "A", "issuetype": {"name": "Task"}, **fields}
    answer = await ada.post(f"{API}/issue", json={"fields": body})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


async def test_an_issue_moves_through_the_workflow(ada):
    key = await made(ada)
    offered = (await ada.get(f"{API}/issue/{key}/transitions")).json()["transitions"]
    assert [one["name"] for one in offered] == ["In Progress", "In Review", "Done"]
    done = {"transition": {"id": "41"}, "update": {"comment": [{"add": {"body": adf("Finished.")}}]}}
    assert (await ada.post(f"{API}/issue/{key}/transitions", json=done)).status_code == 204
    fields = (await ada.get(f"{API}/issue/{key}")).json()["fields"]
    assert fields["status"]["statusCategory"]["key"] == "done"
    assert fields["comment"]["comments"][0]["body"] == adf("Finished.")
    assert (await ada.post(f"{API}/issue/{key}/transitions", json=done)).status_code == 400


async def test_comments_links_watchers_and_worklogs_are_kept(ada):
    key = await made(ada)
    comment = (await ada.post(f"{API}/issue/{key}/comment", json={"body": adf("One")})).json()["id"]
    await ada.put(f"{API}/issue/{key}/comment/{comment}", json={"body": adf("Two")})
    assert (await ada.get(f"{API}/issue/{key}/comment/{comment}")).json()["body"] == adf("Two")
    assert (await ada.get(f"{API}/issue/{key}/comment")).json()["total"] == 1
    assert (await ada.delete(f"{API}/issue/{key}/comment/{comment}")).status_code == 204
    link = {"type": {"name": "Blocks"}, "inwardIssue": {"key": key}, "outwardIssue": {"key": "PROJ-1"}}
    assert (await ada.post(f"{API}/issueLink", json=link)).status_code == 201
    links = (await ada.get(f"{API}/issue/PROJ-1?fields=issuelinks")).json()["fields"]["issuelinks"]
    assert links[0]["inwardIssue"]["key"] == key
    assert (await ada.delete(f"{API}/issueLink/{links[0]['id']}")).status_code == 204
    remote = {"globalId": "g", "object": {"title": "t", "url": "https://example.com"}}
    for status in (201, 200):
        assert (await ada.post(f"{API}/issue/{key}/remotelink", json=remote)).status_code == status
    assert len((await ada.get(f"{API}/issue/{key}/remotelink")).json()) == 1
    assert (await ada.post(f"{API}/issue/{key}/watchers", json=BO)).status_code == 204
    assert (await ada.get(f"{API}/issue/{key}/watchers")).json()["watchCount"] == 1
    assert (await ada.delete(f"{API}/issue/{key}/watchers?accountId={BO}")).status_code == 204
    log = await ada.post(f"{API}/issue/{key}/worklog", json={"timeSpent": "1h 30m"})
    assert log.json()["timeSpentSeconds"] == 5400
    assert (await ada.get(f"{API}/issue/{key}/worklog")).json()["total"] == 1


@pytest.mark.parametrize(
    ("jql", "keys"),
    [
        ("project = PROJ ORDER BY key", ["PROJ-1", "PROJ-2", "PROJ-3"]),
        ("project = PROJ AND statusCategory != Done ORDER BY key DESC", ["PROJ-2", "PROJ-1"]),
        ('key in (PROJ-3, "OPS-1") ORDER BY key ASC', ["OPS-1", "PROJ-3"]),
        ("status = 'In Progress' OR (project = OPS AND type = Task) ORDER BY key", ["OPS-1", "PROJ-2"]),
        ("text ~ invoice", ["PROJ-2"]),
        ("NOT project = PROJ", ["OPS-1"]),
        ("assignee is EMPTY AND created >= -1d AND sprint in openSprints()", ["PROJ-1"]),
        ("reporter = currentUser() AND created < -1d", []),
        ("project not in (PROJ)", ["OPS-1"]),
    ],
)
async def test_search_understands_the_usual_queries(ada, jql, keys):
    assert await found(ada, jql) == keys
    counted = await ada.post(f"{API}/search/approximate-count", json={"jql": jql})
    assert counted.json() == {"count": len(keys)}


@pytest.mark.parametrize(
    ("jql", "said"),
    [
        ("", "Unbounded JQL"),
        ("ORDER BY created", "Unbounded JQL"),
        ("colour = red", "Field 'colour' does not exist"),
        ("project =", "before the end of the query"),
        ("project = PROJ AND", "before the end of the query"),
        ("project PROJ", "Expecting operator"),
        ('summary ~ "open', "has not been completed"),
        ("project = PROJ sort by key", "Expecting operator"),
        ("updated > never()", "Unable to find JQL function"),
    ],
)
async def test_a_query_that_is_none_is_refused_in_jiras_words(ada, jql, said):
    answer = await ada.post(f"{API}/search/jql", json={"jql": jql})
    assert answer.status_code == 400
    assert said in answer.json()["errorMessages"][0]


async def test_a_search_goes_on_with_its_token_and_tells_ids_alone_without_fields(ada):
    first = (await ada.get(f"{API}/search/jql", params={"jql": "project = PROJ", "maxResults": 2})).json()
    assert [set(row) for row in first["issues"]] == [{"id"}, {"id"}]
    params = {
        "jql": "project = PROJ",
        "maxResults": 2,
        "nextPageToken": first["nextPageToken"],
        "fields": "summary",
    }
    last = (await ada.get(f"{API}/search/jql", params=params)).json()
    assert (len(last["issues"]), last["isLast"]) == (1, True)
    other = {**params, "jql": "project = OPS"}
    assert (await ada.get(f"{API}/search/jql", params=other)).status_code == 400


async def test_projects_fields_and_what_may_be_made_are_told(ada):
    projects = (await ada.get(f"{API}/project/search?query=oper")).json()
    assert [row["key"] for row in projects["values"]] == ["OPS"]
    types = (await ada.get(f"{API}/issue/createmeta/PROJ/issuetypes")).json()["issueTypes"]
    fields = (await ada.get(f"{API}/issue/createmeta/PROJ/issuetypes/{types[0]['id']}")).json()["fields"]
    assert {"summary", "project"} <= {one["fieldId"] for one in fields if one["required"]}
    assert "customfield_10016" in {one["id"] for one in (await ada.get(f"{API}/field")).json()}
    assert (await ada.get(f"{API}/project/NOPE")).status_code == 404


async def test_issues_go_into_a_sprint_and_back_to_the_backlog(ada):
    boards = (await ada.get(f"{AGILE}/board?projectKeyOrId=PROJ")).json()["values"]
    sprints = (await ada.get(f"{AGILE}/board/{boards[0]['id']}/sprint?state=active,future")).json()["values"]
    assert [one["state"] for one in sprints] == ["active", "future"]
    sprint, key = sprints[0]["id"], await made(ada)
    assert (await ada.post(f"{AGILE}/sprint/{sprint}/issue", json={"issues": [key]})).status_code == 204
    inside = (await ada.get(f"{AGILE}/sprint/{sprint}/issue")).json()["issues"]
    assert {row["key"] for row in inside} == {"PROJ-1", key}
    assert await found(ada, f"sprint = {sprint} ORDER BY key") == ["PROJ-1", key]
    assert (await ada.post(f"{AGILE}/backlog/issue", json={"issues": [key]})).status_code == 204
    assert await found(ada, f"sprint = {sprint}") == ["PROJ-1"]
    assert (await ada.post(f"{AGILE}/sprint/1/issue", json={"issues": [key]})).status_code == 400
    assert (await ada.get(f"{AGILE}/board/2/sprint")).status_code == 400


async def test_a_scoped_token_is_good_at_the_scoped_address_for_what_it_may(jira, ada):
    scoped = f"/ex/jira/{(await ada.get('/_edge/tenant_info')).json()['cloudId']}{API}"
    assert CLOUD_ID in scoped
    reader = {"headers": {"authorization": "Bearer sandbox-jira-reader"}, "auth": None}
    assert (await ada.get(f"{scoped}/issue/PROJ-1", **reader)).status_code == 200
    refused = await ada.post(f"{scoped}/issue/PROJ-1/comment", json={"body": adf("x")}, **reader)
    assert (refused.status_code, refused.json()["message"]) == (401, "Unauthorized; scope does not match")
    assert (await ada.get(f"/ex/jira/another{API}/myself")).status_code == 404
    assert (await ada.get(f"{API}/myself", auth=("ada@example.com", "old"))).status_code == 401
    assert (await ada.get(f"{API}/serverInfo", auth=None)).json()["deploymentType"] == "Cloud"


async def test_the_quota_is_told_and_ends(jira, ada):
    jira.quota.limit = 6
    told = [await ada.get(f"{API}/myself") for _ in range(7)]
    assert told[0].headers["x-ratelimit-remaining"] == "5"
    assert "x-ratelimit-nearlimit" not in told[0].headers
    assert told[5].headers["x-ratelimit-nearlimit"] == "true"
    assert (told[6].status_code, told[6].headers["ratelimit-reason"]) == (429, "jira-quota-tenant-based")
    assert int(told[6].headers["retry-after"]) > 3000


async def test_two_doubles_know_nothing_of_each_other(ada, jira):
    await made(ada)
    async with serving(Jira()) as other:
        assert len(other.issues) == len(jira.issues) - 1
