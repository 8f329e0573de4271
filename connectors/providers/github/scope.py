"""Which repositories a connection reaches, and how names get into paths and queries.

Nothing that a caller writes leads out of the allow-list: names are checked against patterns and
quoted for paths, searches get the repositories as qualifiers in front and may not name others,
and what GitHub finds is looked at once more.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from connectors.errors import InvalidInput, NotPermitted

MAX_QUERY: Final = 256  # characters, without qualifiers (docs.github.com, "Search limitations")
MAX_WHOLE: Final = 1_000
MAX_OR: Final = 5  # "more than five AND, OR, or NOT operators" are an error
_REPO: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9._-]{1,100}")
_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?")
_SHA: Final = re.compile(r"[0-9a-fA-F]{40}")
# git-check-ref-format(1), and nothing that has a meaning in a path, a tree-ish or a comparison.
_BAD_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[/.-]|[/.]$|/\.|\.lock(/|$)|^@$")
# Qualifiers that say where to search; GitHub adds the places of several of them together.
_PLACES: Final = re.compile(r"(?i)(?<![\w])(repo|repository|user|org|owner|enterprise|fork)\s*[:=]")
_LOGIC: Final = re.compile(r"(?i)(?<![\w])(or|and|not)(?![\w])|[()|\\]")


class Scope:
    """The allow-list of a connection; empty means every repository that the credential sees."""

    def __init__(self, allowed: Iterable[str]) -> None:
        names = [name.lower() for name in allowed]
        self.repositories = frozenset(name for name in names if not name.endswith("/*"))
        self.owners = frozenset(name[:-2] for name in names if name.endswith("/*"))
        self.bounded = bool(names)

    def has(self, repo: str) -> bool:
        """Whether a repository (owner/name) is reached."""
        name = repo.lower()
        return not self.bounded or name in self.repositories or name.partition("/")[0] in self.owners

    def demand_owner(self, login: str) -> None:
        """Refuse an owner of whom no repository can be reached. Raises NotPermitted."""
        owner = login.lower()
        known = self.owners | {name.partition("/")[0] for name in self.repositories}
        if self.bounded and owner not in known:
            raise NotPermitted(
                f"This connection reaches no repository of {login}.",
                code="repository_not_allowed",
                hint=self.said(),
            )

    def demand(self, repo: str) -> str:
        """A repository as the beginning of a path. Raises InvalidInput, NotPermitted."""
        repo = repo.strip()
        if not _REPO.fullmatch(repo) or repo.endswith(("/.", "/..")):
            raise InvalidInput(
                f"{repo[:80]!r} is no repository.", code="bad_repository", hint="Write owner/name."
            )
        if not self.has(repo):
            raise NotPermitted(
                f"This connection does not reach {repo}.",
                code="repository_not_allowed",
                hint=self.said(),
            )
        return f"repos/{repo}"

    def said(self) -> str:
        """The allow-list in words."""
        if not self.bounded:
            return "It reaches all that its credential sees."
        names = [*sorted(self.repositories), *(f"{owner}/*" for owner in sorted(self.owners))]
        return f"It reaches {', '.join(names[:20])}{' and more' if len(names) > 20 else ''}."

    def query(self, text: str, repo: str | None = None, *, either: bool = False) -> str:
        """A search, held to one repository or to the allow-list. Raises InvalidInput, NotPermitted.

        Most searches add several places together; the one for issues (``either``) finds what is in
        all of them at once unless they stand with OR between them (github.blog, "Issues advanced
        search", 2025-03-06).
        """
        text = " ".join(unicodedata.normalize("NFKC", _visible(text)).split())
        if not text and repo is None:
            raise InvalidInput("The query is empty.", code="bad_query")
        if len(text) > MAX_QUERY:
            raise InvalidInput(f"A query has at most {MAX_QUERY} characters.", code="bad_query")
        if repo is not None:
            self.demand(repo)
        if repo is None and not self.bounded:
            return text
        self._held(text)
        if repo is not None:
            places = [f"repo:{repo.strip()}"]
        else:
            places = [f"repo:{name}" for name in sorted(self.repositories)]
            places += [f"user:{owner}" for owner in sorted(self.owners)]
        several = either and len(places) > 1
        whole = " ".join([f"({' OR '.join(places)})" if several else " ".join(places), text]).strip()
        if len(whole) > MAX_WHOLE or (several and len(places) > MAX_OR + 1):
            raise InvalidInput(
                "This connection reaches too many repositories for one search.",
                code="too_many_repositories",
                hint=f"Name one with repo. {self.said()}",
            )
        return whole

    def _held(self, text: str) -> None:
        """Refuse what could make a bounded search look elsewhere."""
        if text.count('"') % 2 or '\\"' in text:  # whether a backslash quotes a mark, GitHub alone knows
            raise InvalidInput("A quotation mark of the query is not closed.", code="bad_query")
        bare = re.sub(r'"[^"]*"', '""', text)
        if _PLACES.search(bare):
            raise InvalidInput(
                "The query names where to search; this connection says that itself.",
                code="bad_query",
                hint=f"Leave repo:, user: and org: out and use the argument repo. {self.said()}",
            )
        if _LOGIC.search(bare):
            raise InvalidInput(
                "OR, AND, NOT, parentheses and backslashes cannot be used in a search of chosen repositories.",
                code="bad_query",
                hint="Search for each word by itself; a leading '-' excludes a qualifier.",
            )


def _visible(text: str) -> str:
    """Without characters that nobody sees (Unicode's Cf), blanks for control characters."""
    return "".join(
        " " if (kind := unicodedata.category(letter)) == "Cc" else "" if kind == "Cf" else letter
        for letter in text
    )


def login_of(name: str) -> str:
    """A user's or organisation's name for a path. Raises InvalidInput."""
    name = name.strip().removeprefix("@")
    if not _LOGIN.fullmatch(name):
        raise InvalidInput(
            f"{name[:60]!r} is no user or organisation.",
            code="bad_login",
            hint="Write a login, such as octocat.",
        )
    return quote(name, safe="")


def ref_of(name: str) -> str:
    """A branch, tag or sha as it is. Raises InvalidInput for what git does not take."""
    if not name or len(name) > 255 or _BAD_REF.search(name):
        raise InvalidInput(
            f"{name[:80]!r} is no branch, tag or sha.",
            code="bad_ref",
            hint="github_list_branches names them.",
        )
    return name


def branch_of(name: str) -> str:
    """A branch's name, also where it is written as a whole ref. Raises InvalidInput."""
    return ref_of(name.removeprefix("refs/heads/"))


def in_path(name: str) -> str:
    """A checked ref as one part of a path, its slashes quoted."""
    return quote(name, safe="")


def file_path(path: str, *, root: bool = False) -> str:
    """A path within a repository, plain. Raises InvalidInput where it climbs or is none."""
    path = path.strip().strip("/")
    parts = path.split("/")
    if not path and root:
        return ""
    if (
        len(path) > 4096
        or any(part in ("", ".", "..") for part in parts)
        or re.search(r"[\x00-\x1f\x7f]", path)
    ):
        raise InvalidInput(
            f"{path[:80]!r} is no path in a repository.", code="bad_path", hint="Write it as src/main.py."
        )
    return path


def quoted_path(path: str) -> str:
    """A checked path for an address."""
    return "/".join(quote(part, safe="") for part in path.split("/"))


def is_sha(name: str) -> bool:
    """Whether this is a commit's whole sha."""
    return bool(_SHA.fullmatch(name))
