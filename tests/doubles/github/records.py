"""GitHub's shapes: people, repositories, issues, pull requests, with the links that GitHub adds to each."""

import base64
import hashlib
from typing import Any, Final

from tests.doubles.accounts import Account

_USER_LINKS: Final = (
    "followers", "subscriptions", "organizations", "repos", "received_events",
)  # fmt: skip
_REPO_LINKS: Final = {
    "archive": "/{archive_format}{/ref}", "assignees": "/assignees{/user}", "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}", "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}", "commits": "/commits{/sha}", "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}", "contributors": "/contributors", "deployments": "/deployments",
    "downloads": "/downloads", "events": "/events", "forks": "/forks", "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}", "git_tags": "/git/tags{/sha}", "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}", "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}", "keys": "/keys{/key_id}", "labels": "/labels{/name}", "languages": "/languages",
    "merges": "/merges", "milestones": "/milestones{/number}", "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}", "releases": "/releases{/id}", "stargazers": "/stargazers",
    "statuses": "/statuses/{sha}", "subscribers": "/subscribers", "subscription": "/subscription", "tags": "/tags",
    "teams": "/teams", "trees": "/git/trees{/sha}",
}  # fmt: skip


def node_id(kind: str, id: int) -> str:
    """An opaque id as GraphQL knows it."""
    return base64.b64encode(f"0{len(kind)}:{kind}{id}".encode()).decode()


def user(base: str, account: Account) -> dict[str, Any]:
    """A person in brief."""
    url = f"{base}/users/{account.name}"
    return {
        "login": account.name, "id": int(account.id), "node_id": node_id("User", int(account.id)), "type": "User",
        "site_admin": False, "gravatar_id": "", "avatar_url": f"{base}/avatars/{account.id}", "url": url,
        "html_url": f"{base}/{account.name}", "events_url": f"{url}/events{{/privacy}}",
        "following_url": f"{url}/following{{/other_user}}", "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}", **{f"{name}_url": f"{url}/{name}" for name in _USER_LINKS},
    }  # fmt: skip


def repository(base: str, row: dict[str, Any], owner: Account) -> dict[str, Any]:
    """A repository, whole."""
    url, web = f"{base}/repos/{row['full_name']}", f"{base}/{row['full_name']}"
    open_issues = row["open"]
    return {
        "id": row["id"], "node_id": node_id("Repository", row["id"]), "name": row["name"],
        "full_name": row["full_name"], "owner": user(base, owner), "private": row["private"], "html_url": web,
        "description": row["description"], "fork": False, "url": url, "homepage": None, "language": None,
        **{f"{name}_url": url + rest for name, rest in _REPO_LINKS.items()},
        "clone_url": f"{web}.git", "git_url": f"git:{web.partition(':')[2]}.git", "ssh_url": f"git@example.com:{row['full_name']}.git",
        "svn_url": web, "mirror_url": None, "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0,
        "watchers_count": 0, "size": 1, "default_branch": row["default_branch"], "open_issues": open_issues,
        "open_issues_count": open_issues, "topics": [], "has_issues": True, "has_projects": True, "has_wiki": True,
        "has_pages": False, "has_downloads": True, "has_discussions": False, "archived": False, "disabled": False,
        "visibility": "private" if row["private"] else "public", "pushed_at": row["updated_at"],
        "created_at": row["created_at"], "updated_at": row["updated_at"], "license": None, "network_count": 0,
        "subscribers_count": 0, "permissions": {"admin": True, "push": True, "pull": True},
    }  # fmt: skip


def label(base: str, full_name: str, name: str) -> dict[str, Any]:
    """A label."""
    id = int(hashlib.sha256(name.encode()).hexdigest()[:7], 16)
    return {
        "id": id, "node_id": node_id("Label", id), "url": f"{base}/repos/{full_name}/labels/{name}",
        "name": name, "description": None, "color": "ededed", "default": False,
    }  # fmt: skip


def issue(base: str, row: dict[str, Any], people: dict[str, Account]) -> dict[str, Any]:
    """An issue; a pull request's issue has ``pull_request``."""
    repo = f"{base}/repos/{row['repo']}"
    url = f"{repo}/issues/{row['number']}"
    web = f"{base}/{row['repo']}/{'pull' if 'pull' in row else 'issues'}/{row['number']}"
    assignees = [user(base, people[name]) for name in row["assignees"]]
    told = {
        "id": row["id"], "node_id": node_id("Issue", row["id"]), "url": url, "repository_url": repo,
        "labels_url": f"{url}/labels{{/name}}", "comments_url": f"{url}/comments", "events_url": f"{url}/events",
        "html_url": web, "number": row["number"], "state": row["state"], "state_reason": row["state_reason"],
        "title": row["title"], "body": row["body"], "user": user(base, people[row["user"]]),
        "labels": [label(base, row["repo"], name) for name in row["labels"]],
        "assignee": assignees[0] if assignees else None, "assignees": assignees, "milestone": None,
        "locked": False, "active_lock_reason": None, "comments": len(row["comments"]),
        "created_at": row["created_at"], "updated_at": row["updated_at"], "closed_at": row["closed_at"],
        "closed_by": None, "author_association": "OWNER",
    }  # fmt: skip
    if "pull" in row:
        pull = f"{repo}/pulls/{row['number']}"
        told["pull_request"] = {
            "url": pull,
            "html_url": web,
            "diff_url": f"{web}.diff",
            "patch_url": f"{web}.patch",
        }
    return told


def comment(base: str, row: dict[str, Any], people: dict[str, Account]) -> dict[str, Any]:
    """An issue's comment."""
    place = f"{base}/repos/{row['repo']}/issues"
    return {
        "id": row["id"], "node_id": node_id("IssueComment", row["id"]), "url": f"{place}/comments/{row['id']}",
        "html_url": f"{base}/{row['repo']}/issues/{row['number']}#issuecomment-{row['id']}",
        "issue_url": f"{place}/{row['number']}", "body": row["body"], "user": user(base, people[row["user"]]),
        "created_at": row["created_at"], "updated_at": row["updated_at"], "author_association": "OWNER",
        "performed_via_github_app": None,
    }  # fmt: skip


def pull(
    base: str, row: dict[str, Any], repo: dict[str, Any], people: dict[str, Account], *, whole: bool
) -> dict[str, Any]:
    """A pull request, as lists tell it, or ``whole``."""
    told, url = issue(base, row, people), f"{base}/repos/{row['repo']}/pulls/{row['number']}"
    links = {
        "url": url, "diff_url": f"{told['html_url']}.diff", "patch_url": f"{told['html_url']}.patch",
        "issue_url": told["url"], "commits_url": f"{url}/commits", "review_comments_url": f"{url}/comments",
        "review_comment_url": f"{base}/repos/{row['repo']}/pulls/comments{{/number}}",
        "statuses_url": f"{base}/repos/{row['repo']}/statuses/{row['pull']['head_sha']}",
    }  # fmt: skip
    owner = people[row["repo"].partition("/")[0]]
    repository_ = repository(base, repo, owner)
    sides = {
        side: {"label": f"{owner.name}:{row['pull'][side]}", "ref": row["pull"][side], "sha": row["pull"][f"{side}_sha"],
               "user": user(base, owner), "repo": repository_}
        for side in ("head", "base")
    }  # fmt: skip
    gone = (
        "repository_url",
        "labels_url",
        "events_url",
        "pull_request",
        "comments",
        "closed_by",
        "state_reason",
    )
    told = {name: value for name, value in told.items() if name not in gone} | links | sides
    told |= {
        "id": row["pull"]["id"], "node_id": node_id("PullRequest", row["pull"]["id"]), "draft": row["pull"]["draft"],
        "merged_at": row["pull"]["merged_at"], "merge_commit_sha": row["pull"]["merge_sha"], "auto_merge": None,
        "requested_reviewers": [], "requested_teams": [],
        "_links": {name: {"href": href} for name, href in {
            "self": url, "html": told["html_url"], "issue": told["url"] if "/issues/" in told["url"] else links["issue_url"],
            "comments": f"{links['issue_url']}/comments", "review_comments": links["review_comments_url"],
            "review_comment": links["review_comment_url"], "commits": links["commits_url"], "statuses": links["statuses_url"],
        }.items()},
    }  # fmt: skip
    if whole:
        merged = bool(row["pull"]["merged_at"])
        told |= {
            "merged": merged, "mergeable": None if merged else True, "mergeable_state": "clean", "rebaseable": True,
            "merged_by": user(base, people[row["user"]]) if merged else None, "comments": len(row["comments"]),
            "review_comments": 0, "maintainer_can_modify": False, "commits": 1, "additions": 1, "deletions": 0,
            "changed_files": 1,
        }  # fmt: skip
    return told
