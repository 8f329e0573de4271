"""What commits keep, and refuse to lose; folders and trees that no single answer holds."""

import pytest

from connectors.providers.github import content_tools
from tests.providers.github.conftest import REPO

RUN = "tools/run.sh"


@pytest.fixture
def runnable(github) -> str:
    """A script that may be run is on main; its commit."""
    git = github.git[REPO]
    files = {
        **git["trees"][git["commits"][git["refs"]["heads/main"]]["tree"]],
        RUN: github.blob(git, b"#!/bin/sh\n"),
    }
    sha = github.commit(
        git, github.tree(git, files, {RUN: "100755"}), [git["refs"]["heads/main"]], "Run", "octo"
    )
    git["refs"]["heads/main"] = sha
    return str(sha)


async def commit(desk, *files, **more):
    arguments = {"repo": REPO, "branch": "main", "commit_message": "m", "files": list(files), **more}
    return await desk("github_commit_multiple_files", **arguments)


@pytest.mark.parametrize("most", [100_000, 2], ids=["whole", "in parts"])
async def test_a_script_may_still_be_run_after_a_commit(desk, github, runnable, most):
    github.most_entries = most
    made = await commit(
        desk, {"path": RUN, "content": "#!/bin/sh\nexit\n"}, {"path": "tools/new.sh", "content": ""}
    )
    git = github.git[REPO]
    assert git["modes"][git["commits"][made["commit"]]["tree"]] == {RUN: "100755"}


REFUSED = [
    ("is_folder", [{"path": "src", "delete": True}]), ("is_folder", [{"path": "src", "content": "x"}]),
    ("no_file", [{"path": "nope.txt", "delete": True}]), ("no_file", [{"path": "src/none/x", "delete": True}]),
    ("bad_files", [{"path": "README.md/x", "content": "x"}]),
    ("bad_files", [{"path": "a", "content": "x"}, {"path": "a/b", "content": "x"}]),
]  # fmt: skip


async def test_a_commit_takes_no_folder_away_and_says_what_is_not_there(desk, github):
    before = dict(github.git[REPO]["refs"])
    for github.most_entries in (100_000, 2):
        for code, files in REFUSED:
            error = await commit(desk, *files)
            assert error.get("code") == code, (files, error)
    assert github.git[REPO]["refs"] == before
    assert not [hit for hit in github.operations if hit.method != "GET"], "nothing was sent"


async def test_a_file_may_become_a_folder_in_one_commit(desk, github):
    await commit(desk, {"path": "README.md", "delete": True}, {"path": "README.md/en", "content": "x"})
    tree = await desk("github_get_directory_tree", repo=REPO, path="README.md")
    assert [row["path"] for row in tree["items"]] == ["README.md/en"]


def fill(github, number: int) -> None:
    """A folder with many files on main."""
    git = github.git[REPO]
    blob = github.blob(git, b"x")
    files = {f"many/{one:04}-{'x' * 60}.txt": blob for one in range(number)}
    sha = github.commit(git, github.tree(git, {**files, "zoo/a/b.txt": blob}), [], "Many", "octo")
    git["refs"]["heads/main"] = sha


async def test_a_folder_of_more_files_than_github_tells_at_once_is_listed_to_its_end(
    desk, github, monkeypatch
):
    github.most_contents = 20
    monkeypatch.setattr(content_tools, "MOST_CONTENTS", 20)
    fill(github, 350)
    for recursive in (False, True):
        found, cursor, pages = [], None, 0
        while pages == 0 or cursor:
            arguments = {"repo": REPO, "path": "many", "recursive": recursive, "cursor": cursor}
            got = await desk.result("github_get_directory_tree", **arguments)
            assert "truncated" not in got.get("_meta", {})
            told = got["structuredContent"]
            found += [row["path"] for row in told["items"]]
            cursor, pages = told["next_cursor"], pages + 1
        assert (len(found), len(set(found)), told["total"]) == (350, 350, 350)
        assert pages > 1
        assert all(path.startswith("many/") for path in found)
    folder = await desk("github_get_file_content", repo=REPO, file_path="many")
    assert folder["truncated"] is True and "github_get_directory_tree" in folder["hint"]


async def test_a_folder_beyond_what_github_tells_of_a_tree_is_found(desk, github):
    fill(github, 30)
    github.most_entries = 10
    told = await desk("github_get_directory_tree", repo=REPO, path="zoo", recursive=True)
    assert {(row["path"], row["type"]) for row in told["items"]} == {
        ("zoo/a", "dir"),
        ("zoo/a/b.txt", "file"),
    }
    whole = await desk("github_get_directory_tree", repo=REPO, recursive=True)
    assert whole["truncated"] is True and "total" not in whole
    assert (await desk("github_get_directory_tree", repo=REPO, path="nope", recursive=True))[
        "code"
    ] == "no_folder"


async def test_a_link_is_told_as_one(desk, github):
    git = github.git[REPO]
    tree = github.tree(git, {"latest": github.blob(git, b"README.md")}, {"latest": "120000"})
    git["refs"]["heads/main"] = github.commit(git, tree, [], "Link", "octo")
    [row] = (await desk("github_get_directory_tree", repo=REPO))["items"]
    assert row["type"] == "symlink"
