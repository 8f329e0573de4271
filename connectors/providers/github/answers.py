"""What GitHub's answers say beside their data: errors in its words, its wish for rest, further pages."""

import re
from typing import Any, Final

import orjson

from connectors.errors import Conflict, ConnectorError, NotFound, NotPermitted
from connectors.kit.cursors import link_of, parameter_of
from connectors.upstream.answers import Answer, masked

JSON: Final = "application/vnd.github+json"
RAW: Final = "application/vnd.github.raw+json"
DIFF: Final = "application/vnd.github.diff"
HEADERS: Final = {"accept": JSON, "user-agent": "portico"}
SECONDARY_S: Final = 60.0  # without Retry-After: "wait for at least one minute"
_NEXT: Final = re.compile(r'<[^<>]*[?&]page=(\d{1,9})[^<>]*>;\s*rel="next"')
_HASTE: Final = ("secondary rate limit", "abuse detection")


def explained(answer: Answer) -> str:
    """GitHub's message and what it says of single fields."""
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return answer.excerpt()
    if not isinstance(said, dict) or not isinstance(said.get("message"), str):
        return answer.excerpt()
    errors = said.get("errors")
    more = (
        [_field(one) for one in errors]
        if isinstance(errors, list)
        else [errors if isinstance(errors, str) else None]
    )
    words = ". ".join([said["message"].strip().rstrip("."), *filter(None, more)])
    return masked(words, answer.secrets)  # an echo of the credential must not reach whoever reads this


def _field(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    if error.get("message"):
        return str(error["message"])
    what = ".".join(str(error[name]) for name in ("resource", "field") if error.get(name))
    return f"{what}: {str(error.get('code', '')).replace('_', ' ')}".strip(": ")


def is_haste(answer: Answer) -> bool:
    """Whether GitHub refuses for a secondary limit: nothing was done."""
    if answer.status not in (403, 429):
        return False
    text = answer.text[:2000].lower()
    return any(word in text for word in _HASTE)


def wished(answer: Answer) -> float:
    """Seconds that a secondary limit wants, where no header says it."""
    return SECONDARY_S if is_haste(answer) and answer.retry_after is None else 0.0


def next_page(answer: Answer) -> int | None:
    """The number of the following page (RFC 8288 links), or None."""
    found = _NEXT.search(answer.headers.get("link", ""))
    return int(found[1]) if found else None


def next_position(answer: Answer) -> int | dict[str, str] | None:
    """Where the following page of a list begins: its number, or what its link says, or None.

    Long lists of issues take no numbers: "Pagination with the page parameter is not supported for
    large datasets". Their links have a place to begin ``after``, which alone leads on.
    """
    link = link_of(answer.headers.get("link"))
    if after := parameter_of(link, "after"):
        page = parameter_of(link, "page")
        return {"after": after, "page": page} if page else {"after": after}
    return next_page(answer)


def right_wanted(answer: Answer) -> str:
    """What a refused credential lacks, as GitHub's headers say it; empty where they do not.

    ``X-Accepted-GitHub-Permissions`` names permissions ("issues=write"; alternatives after
    semicolons), ``X-Accepted-OAuth-Scopes`` a classic token's scopes, ``X-GitHub-SSO`` where to
    authorise a token for an organisation.
    """
    if answer.status not in (403, 404):
        return ""
    named = answer.headers.get("x-github-sso", "")
    if named.startswith("required") and (found := _SSO.search(named)):
        return f"be authorised for single sign-on at {found[1]}"
    if wanted := answer.headers.get("x-accepted-github-permissions", "").strip():
        ways = [" and ".join(way.replace(",", " ").split()) for way in wanted.split(";")]
        return f"have the permission {' or '.join(way for way in ways if way)[:200]}"
    accepted = _scopes(answer, "x-accepted-oauth-scopes")
    if accepted and "x-oauth-scopes" in answer.headers and not accepted & _scopes(answer, "x-oauth-scopes"):
        return f"have the scope {' or '.join(sorted(accepted))[:200]}"
    return ""


def _scopes(answer: Answer, name: str) -> set[str]:
    return {scope.strip() for scope in answer.headers.get(name, "").split(",") if scope.strip()}


_SSO: Final = re.compile(r"url=(https://[^\s;,]{1,300})")
_MISSING: Final = (
    "It does not exist, or the credential may not see it; github_list_repositories shows what it sees."
)
_STALE: Final = (
    "does not match",
    "is at ",
    "reference already exists",
    "already exists",
    "not a fast forward",
)
_MOVED: Final = frozenset({301, 302, 307, 308})
_PROTECTED: Final = ("protected branch", "through a pull request", "rule violations", "ruleset")
_HINTS: Final = {
    _PROTECTED: "The branch is protected: github_create_branch, commit there, then github_create_pull_request.",
    ("repository is empty",): "github_create_or_update_file makes its first file, and with it the branch.",
    (
        "no commits between",
    ): "The branches do not differ: commit to head first (github_commit_multiple_files).",
    ("pullrequest.head: invalid", "pullrequest.base: invalid"): "github_list_branches names the branches.",
    ("cannot be searched",): "github_list_repositories shows what the credential sees.",
    (
        "no commit found for",
    ): "github_list_branches names the branches, github_list_commits the commits of one.",
    (
        "badobjectstate",
    ): "A file that is to be deleted is not there: github_get_directory_tree shows which are.",
    ("diff exceeded",): "include=['files'] has what each of its first files changed.",
    (
        "issues are disabled",
        "issues has been disabled",
    ): "This repository has no issues; its owner can switch them on.",
}


def mended(error: ConnectorError, missing: str = "", right: str = "") -> ConnectorError:
    """GitHub's error with the next useful step, and as what it is; ``right`` is what the credential must do."""
    words = error.message.lower()
    if error.upstream_status in _MOVED:  # of writes; what reads is led on
        return NotFound(
            "It has moved; nothing was changed.",
            code="moved",
            upstream_status=error.upstream_status,
            hint="Read it (github_get_repository, github_get_issue): its url names where it is now.",
        )
    hint = next((hint for marks, hint in _HINTS.items() if any(mark in words for mark in marks)), "")
    if hint:
        error.hint = hint
        if error.upstream_status in (409, 422) and hint is _HINTS[_PROTECTED]:
            status = error.upstream_status
            return NotPermitted(error.message, code="branch_protected", upstream_status=status, hint=hint)
        return error
    if error.upstream_status == 422 and any(word in words for word in _STALE):
        return Conflict(error.message, upstream_status=422, hint="Read it again; it exists or has moved on.")
    if isinstance(error, NotFound):
        error.hint = missing or _MISSING
        if right:
            error.hint += f" The token would have to {right}."
    elif isinstance(error, NotPermitted) and right:
        error.hint = f"The token would have to {right}: an admin sees to that at GitHub."
    elif isinstance(error, NotPermitted) and "resource not accessible" in words:
        error.hint = (
            "The token lacks a permission for this: an admin adds it at GitHub (Test connection names them)."
        )
    elif isinstance(error, NotPermitted) and "saml" in words:
        error.hint = "An admin authorises the token for the organisation's single sign-on at GitHub."
    return error
