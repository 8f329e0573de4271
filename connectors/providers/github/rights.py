"""Which right each tool needs, and what GitHub lets one know of a credential's rights.

An installation's token comes with its permissions, a classic token's scopes stand in a header.
Of a fine-grained token no endpoint tells them (docs.github.com, "Permissions required for
fine-grained personal access tokens"): what it may read is tried in a private repository, where
nothing is open to everybody; what it may write shows when it writes, and a refusal names the
permission that is missing (``X-Accepted-GitHub-Permissions``).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

_ONE: Final[dict[str, tuple[str, ...]]] = {
    "contents:write": (
        "github_create_branch", "github_create_or_update_file", "github_commit_multiple_files",
        "github_delete_file", "github_merge_pull_request", "github_create_release", "github_upload_release_asset",
    ),
    "contents:read": (
        "github_get_file_content", "github_get_directory_tree", "github_list_branches", "github_get_branch_info",
        "github_list_commits", "github_get_commit", "github_compare_commits", "github_search_code",
        "github_list_releases", "github_get_latest_release",
    ),
    "issues:write": ("github_create_issue", "github_update_issue"),
    "issues:read": ("github_list_issues", "github_get_issue"),
    "pull_requests:write": (
        "github_create_pull_request", "github_update_pull_request", "github_review_pull_request",
    ),
    "pull_requests:read": ("github_list_pull_requests", "github_get_pull_request"),
    "actions:write": ("github_run_workflow", "github_rerun_failed_jobs"),
    "actions:read": (
        "github_list_workflows", "github_list_workflow_runs", "github_get_workflow_run", "github_get_job_logs",
    ),
}  # fmt: skip
# Tools by the rights of which one is enough.
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    **{tool: (need,) for need, tools in _ONE.items() for tool in tools},
    "github_add_issue_comment": ("issues:write", "pull_requests:write"),
    "github_list_labels": ("issues:read", "pull_requests:read"),
}
# What is read to learn whether a token may: below a repository, by permission.
TRIED: Final = {
    "contents": "branches",
    "issues": "issues",
    "pull_requests": "pulls",
    "actions": "actions/workflows",
}
REFUSED: Final = "resource not accessible"
_LEVELS: Final = {"read": 1, "write": 2, "admin": 3}
_ROLES: Final = ("admin", "maintain", "push", "triage", "pull")


def hidden_tools(lacking: Iterable[str]) -> dict[str, str]:
    """The tools that cannot work without these rights, each with what it needs."""
    gone = set(lacking)
    return {tool: " or ".join(needs) for tool, needs in sorted(NEEDS.items()) if gone.issuperset(needs)}


def lacking_of_app(permissions: Mapping[str, Any]) -> set[str]:
    """Which rights an installation with these permissions lacks."""
    return {need for need in _ONE if not _has(permissions, *need.split(":"))}


def lacking_of_scopes(scopes: Iterable[str]) -> set[str]:
    """Which rights a classic token with these scopes lacks; without any it reads what is public."""
    writes = {need for need in _ONE if need.endswith(":write")}
    return set() if {"repo", "public_repo"} & set(scopes) else writes


def role_of(row: Mapping[str, Any]) -> str:
    """What an account may do in a repository, as its record tells: admin, maintain, push, triage or pull."""
    rights = row.get("permissions")
    return next((name for name in _ROLES if isinstance(rights, Mapping) and rights.get(name)), "")


def _has(permissions: Mapping[str, Any], name: str, level: str) -> bool:
    return _LEVELS.get(str(permissions.get(name)), 0) >= _LEVELS[level]
