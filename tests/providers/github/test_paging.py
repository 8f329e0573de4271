"""Lists to their last page, whatever GitHub pages them with and whatever of them is not shown."""

import re
from typing import Any

from tests.doubles.double import route
from tests.doubles.fixtures import double_fixture
from tests.doubles.github import GitHub
from tests.doubles.github.double import REPO as PATH
from tests.doubles.github.double import refuse
from tests.doubles.messages import Answer, Request
from tests.providers.github.conftest import REPO


class Large(GitHub):
    """Repositories whose issues are so many that GitHub takes no numbers of pages: only its own links lead on."""

    @route("GET", PATH + "/issues")
    def list_issues(self, request: Request) -> Any:
        page, after = request.number("page", 1), request.one("after")
        if page > 1 and after != f"after {page}=":
            said = "Pagination with the page parameter is not supported for large datasets, please use cursor based"
            raise refuse(422, f"{said} pagination (after/before)")
        request.query.pop("after", None)
        whole: Answer = super().list_issues(request)
        link = re.sub(r"&page=(\d)>", r"&after=after+\1%3D&page=\1>", whole.headers.get("link", ""))
        return Answer(200, whole.json, {"link": link} if link else {})


# GitHub's document does not tell of ``after`` here; its links do.
github = double_fixture(Large, check=False)


async def pages(desk: Any, tool: str, **arguments: Any) -> list[list[Any]]:
    told = [await desk(tool, **arguments)]
    while cursor := told[-1].get("next_cursor"):
        told.append(await desk(tool, **arguments, cursor=cursor))
    assert all("items" in one for one in told), told
    return [one["items"] for one in told]


async def test_a_list_that_takes_no_numbers_is_followed_by_its_links(desk, github):
    for number in range(4):
        github.make_issue(github.repos[REPO], "octo", {"title": f"Issue {number}"})
    told = await pages(desk, "github_list_issues", repo=REPO, limit=2)
    assert [row["number"] for rows in told for row in rows] == [5, 4, 3, 2, 1]


async def test_pages_of_nothing_but_pull_requests_are_turned(desk, github):
    pull = {"pull": {"head": "x"}}
    for number in range(4):
        github.make_issue(github.repos[REPO], "octo", {"title": f"Pull {number}", **pull})
    told = await pages(desk, "github_list_issues", repo=REPO, limit=2)
    assert [[row["number"] for row in rows] for rows in told] == [[1]]


async def test_pages_of_nothing_that_is_allowed_are_turned(open_desk, github):
    github.make_repo("mona", "own", private=False)
    desk = await open_desk(repositories=["mona/*"])
    for row in github.repos.values():
        row["owner"] = "octo"  # all of them are among the account's
    told = await pages(desk, "github_list_repositories", limit=1)
    assert [[row["repo"] for row in rows] for rows in told] == [["mona/own"]]


async def test_issues_are_searched_in_each_of_several_allowed_repositories(open_desk, github):
    github.make_issue(github.repos["octo/secrets.io"], "octo", {"title": "A bug as well"})
    github.make_repo("mona", "own", private=False)
    github.make_issue(github.repos["mona/own"], "mona", {"title": "Mona's bug"})
    desk = await open_desk(repositories=[REPO, "octo/secrets.io"])
    found = await desk("github_search_issues", query="bug")
    assert {row["repo"] for row in found["items"]} == {REPO, "octo/secrets.io"}
    assert found["total"] == 2
    wide = await open_desk(repositories=[REPO, "mona/*"])
    found = await wide("github_search_issues", query="bug is:open")
    assert {row["repo"] for row in found["items"]} == {REPO, "mona/own"}
    assert (await wide("github_search_issues", query="bug", repo=""))["total"] == 2
    many = await open_desk(repositories=[f"octo/r{number}" for number in range(7)])
    error = await many("github_search_issues", query="bug")
    assert error["code"] == "too_many_repositories"


async def test_an_empty_assignee_is_none_named(desk, github):
    await desk("github_list_issues", repo=REPO, assignee="")
    assert "assignee" not in github.requests[-1].query
