"""Reading GitHub: repositories, files, branches, commits."""

from tests.providers.github.conftest import REPO


async def test_repositories_are_listed_and_got(desk):
    found = await desk("github_list_repositories")
    assert [row["repo"] for row in found["items"]] == [REPO, "octo/secrets.io"]
    assert (found["count"], found["next_cursor"]) == (2, None)
    assert "avatar_url" not in str(found)
    one = await desk("github_get_repository", repo=REPO)
    assert (one["default_branch"], one["visibility"]) == ("main", "public")
    assert one["url"].endswith("/octo/hello-world")
    assert (await desk("github_list_repositories", username="octo"))["count"] == 1
    assert (await desk("github_list_repositories", org="octo"))["count"] == 2


async def test_pages_are_followed_with_a_cursor_that_no_other_list_takes(desk):
    first = await desk("github_list_repositories", limit=1)
    second = await desk("github_list_repositories", limit=1, cursor=first["next_cursor"])
    assert [row["repo"] for row in first["items"] + second["items"]] == [REPO, "octo/secrets.io"]
    assert second["next_cursor"] is None
    error = await desk("github_list_branches", repo=REPO, limit=1, cursor=first["next_cursor"])
    assert error["code"] == "bad_cursor"


async def test_a_file_comes_with_its_sha_and_by_lines(desk, github):
    file = await desk("github_get_file_content", repo=REPO, file_path="src/main.py")
    assert (file["content"], file["lines"], len(file["sha"])) == ("print('hello')\n", 1, 40)
    await desk(
        "github_create_or_update_file",
        repo=REPO,
        file_path="a.txt",
        content="1\n2\n3\n4\n",
        commit_message="a",
    )
    part = await desk("github_get_file_content", repo=REPO, file_path="a.txt", start_line=2, end_line=3)
    assert (part["content"], part["start_line"], part["end_line"], part["lines"]) == ("2\n3\n", 2, 3, 4)
    assert (await desk("github_get_file_content", repo=REPO, file_path="a.txt", start_line=9))[
        "code"
    ] == "bad_lines"
    folder = await desk("github_get_file_content", repo=REPO, file_path="src")
    assert [entry["path"] for entry in folder["entries"]] == ["src/main.py"]


async def test_bytes_that_are_no_text_come_as_a_file(desk):
    await desk(
        "github_create_or_update_file",
        repo=REPO,
        file_path="logo.bin",
        content="AAECAwQ=",
        encoding="base64",
        commit_message="Add a logo",
    )
    file = await desk("github_get_file_content", repo=REPO, file_path="logo.bin")
    assert (file["size"], "content" in file) == (5, False)
    assert file["uri"].startswith("portico://files/")


async def test_characters_that_nobody_sees_are_taken_out_and_told(desk):
    text = "x = 1  # \u202eevil\u2069\n"
    await desk("github_create_or_update_file", repo=REPO, file_path="t.py", content=text, commit_message="t")
    got = await desk.result("github_get_file_content", repo=REPO, file_path="t.py")
    assert got["structuredContent"]["content"] == "x = 1  # evil\n"
    assert got["structuredContent"]["hidden_characters_removed"] == 2
    assert got["_meta"]["trust"] == "untrusted"


async def test_the_tree_is_shown_by_level_and_as_a_whole(desk):
    top = await desk("github_get_directory_tree", repo=REPO)
    assert {(row["path"], row["type"]) for row in top["items"]} == {("README.md", "file"), ("src", "dir")}
    below = await desk("github_get_directory_tree", repo=REPO, path="src")
    assert [row["path"] for row in below["items"]] == ["src/main.py"]
    whole = await desk("github_get_directory_tree", repo=REPO, recursive=True, branch="main")
    assert {row["path"] for row in whole["items"]} == {"README.md", "src", "src/main.py"}
    part = await desk("github_get_directory_tree", repo=REPO, recursive=True, path="src")
    assert [row["path"] for row in part["items"]] == ["src/main.py"]


async def test_branches_and_commits_are_listed_compared_and_got(desk):
    made = await desk("github_create_branch", repo=REPO, branch_name="feature/x")
    assert (made["name"], made["source_branch"]) == ("feature/x", "main")
    await desk(
        "github_create_or_update_file",
        repo=REPO,
        file_path="new.txt",
        content="new\n",
        commit_message="Add new\n\nWhy not.",
        branch="feature/x",
    )
    names = [row["name"] for row in (await desk("github_list_branches", repo=REPO))["items"]]
    assert names == ["feature/x", "main"]
    branch = await desk("github_get_branch_info", repo=REPO, branch_name="feature/x")
    assert branch["commit"]["message"] == "Add new\n\nWhy not."
    commits = await desk("github_list_commits", repo=REPO, branch="feature/x")
    assert [row["message"] for row in commits["items"]] == ["Add new", "First commit"]
    commit = await desk("github_get_commit", repo=REPO, ref="feature/x", detail=True)
    assert [(row["path"], row["status"]) for row in commit["files"]] == [("new.txt", "added")]
    assert "+new" in commit["files"][0]["patch"]
    told = await desk("github_compare_commits", repo=REPO, base="main", head="feature/x")
    assert (told["status"], told["ahead_by"], told["files"][0]["path"]) == ("ahead", 1, "new.txt")


async def test_searches_find_repositories_issues_and_code(desk):
    assert [r["repo"] for r in (await desk("github_search_repositories", query="hello"))["items"]] == [REPO]
    issues = await desk("github_search_issues", query="is:issue bug", repo=REPO)
    assert [(row["number"], row["repo"]) for row in issues["items"]] == [(1, REPO)]
    assert issues["total"] == 1
    code = await desk("github_search_code", query="hello path:src", repo=REPO)
    assert [(row["path"], row["repo"]) for row in code["items"]] == [("src/main.py", REPO)]
    assert "print" in code["items"][0]["fragments"][0]


async def test_what_is_missing_says_how_to_find_it(desk):
    error = await desk("github_get_file_content", repo=REPO, file_path="no.txt")
    assert error["type"] == "not_found"
    assert "github_get_directory_tree" in error["hint"]
    error = await desk("github_get_branch_info", repo=REPO, branch_name="nope")
    assert "github_list_branches" in error["hint"]
    error = await desk("github_get_repository", repo="octo/nothing")
    assert "github_list_repositories" in error["hint"]


async def test_old_names_are_still_answered(desk):
    assert (await desk("list_repositories"))["count"] == 2
    assert (await desk("get_file_content", repo=REPO, file_path="README.md"))["content"] == "# Hello World\n"
    assert (await desk("get_file_content", repo_name=REPO, file_path="README.md"))["lines"] == 1
    assert (await desk("github_get_issue", repo_name=REPO, issue_number=1))["number"] == 1
    assert (await desk("github_get_pull_request", repo_name=REPO, number=99))["type"] == "not_found"
    both = await desk("github_get_issue", repo_name=REPO, repo=REPO, issue_number=1)
    assert both["code"] == "invalid_arguments"


async def test_fields_are_all_that_a_list_or_a_record_has(desk):
    for tool, arguments, wanted in (
        ("github_list_branches", {"repo": REPO, "fields": ["sha"]}, {"name", "sha"}),
        ("github_list_commits", {"repo": REPO, "fields": ["message"]}, {"sha", "message", "url"}),
        ("github_get_directory_tree", {"repo": REPO, "fields": ["type"]}, {"path", "type"}),
        (
            "github_search_code",
            {"query": "hello", "repo": REPO, "fields": ["sha"]},
            {"repo", "path", "sha", "url"},
        ),
        (
            "github_search_issues",
            {"query": "bug", "repo": REPO, "fields": ["title"]},
            {"repo", "number", "title", "url"},
        ),
        ("github_list_labels", {"repo": REPO, "fields": ["name"]}, {"name"}),
    ):
        assert set((await desk(tool, **arguments))["items"][0]) == wanted, tool
    commit = await desk("github_get_commit", repo=REPO, ref="main", fields=["message"])
    assert set(commit) == {"sha", "message", "url"}


async def test_a_path_that_is_a_file_is_that_file_alone(desk):
    for recursive in (False, True):
        found = await desk("github_get_directory_tree", repo=REPO, path="src/main.py", recursive=recursive)
        assert [row["path"] for row in found["items"]] == ["src/main.py"]
    assert (await desk("github_get_directory_tree", repo=REPO, path="nope", recursive=True))[
        "code"
    ] == "no_folder"


async def test_what_is_more_than_a_hundred_is_said_to_be_cut(desk, github):
    for number in range(101):
        issue = github.issues[REPO, 1]
        row = {"id": 5000 + number, "repo": REPO, "number": 1, "body": "x", "user": "octo",
               "created_at": issue["created_at"], "updated_at": issue["created_at"]}  # fmt: skip
        github.comments[row["id"]] = row
        issue["comments"].append(row["id"])
    told = await desk("github_get_issue", repo=REPO, issue_number=1, include_comments=True)
    assert (len(told["comment_list"]), told["comments"], told["truncated"]) == (100, 101, True)
