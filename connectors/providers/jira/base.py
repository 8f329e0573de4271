"""What all of Jira's tools stand on: fields by name, people by e-mail, texts as Jira takes them."""

import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel

from connectors.base import ConnectionRef, Context
from connectors.errors import InvalidInput
from connectors.providers.jira import queries, trim
from connectors.providers.jira.asking import AGILE, API, NO_ISSUE, JiraRequests, hinting, issue_path
from connectors.providers.jira.texts import Format, written

__all__ = ["AGILE", "API", "NO_ISSUE", "JiraBase", "hinting", "issue_path"]
FIELDS_KEPT_S = 3600.0
NEW_FIELD_S = 60.0  # how old they are at most before a name is called unknown
MOST_KEPT = 64
NOBODY = ("none", "unassigned")
MYSELF = ("me", "currentuser()")
_EPICS = ("gh-epic-link", "jpo-custom-field-parent")  # fields that name another issue
_LISTS = ("labels", "components", "fixVersions", "versions")
_POINTS = ("jsw-story-points", "gh-story-points")
_TEXTS = ("textarea",)
_CUSTOM = re.compile(r"^customfield_\d+$")


Known = Callable[[], Awaitable[Collection[str]]]


class JiraBase(JiraRequests):
    """Arguments in plain words."""

    argument_aliases: ClassVar[Mapping[str, str]] = {
        "transition_id": "transition", "max_results": "limit", "limit": "max_results", "body": "comment",
        "issue_id_or_key": "issue_key", "assignee": "account_id",
    }  # fmt: skip

    def __init__(self, connection: ConnectionRef, settings: BaseModel) -> None:
        super().__init__(connection, settings)
        self._fields: dict[str, tuple[float, list[dict[str, Any]]]] = {}  # by identity, since when

    async def fields_known(self, ctx: Context) -> list[dict[str, Any]]:
        """All fields of the site, kept in this process for an hour per credential."""
        return await self._fields_of(ctx, FIELDS_KEPT_S)

    async def _fields_of(self, ctx: Context, most_s: float) -> list[dict[str, Any]]:
        """All fields of the site, as they were at most so many seconds ago."""
        kept = self._fields
        found = kept.get(ctx.identity)
        if found is None or found[0] < time.monotonic() - most_s:
            found = (time.monotonic(), await self.read(ctx, f"{API}/field"))
            kept[ctx.identity] = found
            self._texts = frozenset(str(row["id"]) for row in found[1] if _is_text(row))
            while len(kept) > MOST_KEPT:
                kept.pop(next(iter(kept)))
        return found[1]

    async def field_ids(self, ctx: Context, names: Iterable[str]) -> list[str]:
        """Ids of fields from ids or names. Raises InvalidInput for a name that no field has."""
        found = []
        for name in names:
            name = name.strip()
            if name in _SYSTEM or name.startswith("*") or _CUSTOM.match(name):
                found.append(_SYSTEM.get(name, name))
                if name not in _SYSTEM and not await self.is_cloud(ctx):
                    await self.fields_known(ctx)  # which of them are wiki text
            else:
                found.append(str((await self._field(ctx, name))["id"]))
        return list(dict.fromkeys(found))

    async def _field(self, ctx: Context, name: str) -> dict[str, Any]:
        wanted = name.lower().replace("_", " ").strip()
        # Somebody may have added it since the site was asked.
        for most_s in (FIELDS_KEPT_S, NEW_FIELD_S) if wanted else ():
            for row in await self._fields_of(ctx, most_s):
                if name == row["id"] or wanted == str(row.get("name", "")).lower():
                    return row
        first, known = (wanted.split() or [""])[0], await self.fields_known(ctx)
        near = [row["name"] for row in known if first and first in str(row.get("name", "")).lower()][:5]
        raise InvalidInput(
            f"Jira has no field {name!r}.",
            code="unknown_field",
            hint=f"Did you mean {', '.join(near)}?" if near else "jira_get_create_metadata lists fields.",
        )

    async def points_fields(self, ctx: Context) -> list[str]:
        """The ids of the fields of story points. Raises InvalidInput where the site has none.

        Most sites of Cloud have two: one of projects that their team manages, one of the others.
        """
        by_kind: list[str] = []
        by_name: list[str] = []
        for row in await self.fields_known(ctx):
            if str((row.get("schema") or {}).get("custom", "")).endswith(_POINTS):
                by_kind.append(str(row["id"]))
            elif str(row.get("name", "")).lower() in ("story points", "story point estimate"):
                by_name.append(str(row["id"]))
        if found := by_kind + by_name:
            return found
        raise InvalidInput("This Jira has no field for story points.", hint="Leave story_points out.")

    async def _points_field(self, ctx: Context, known: Known | None) -> str:
        """The one field of story points that an issue has; the first where that cannot be told."""
        found = await self.points_fields(ctx)
        own = await known() if known is not None and len(found) > 1 else ()
        return next((id for id in found if id in own), found[0])

    async def editable(self, ctx: Context, key: str) -> Collection[str]:
        """The ids of the fields that can be set of an issue."""
        with hinting(not_found=NO_ISSUE):
            told = await self.read(ctx, issue_path(key, "/editmeta"))
        return set(told.get("fields") or {})

    async def account_id(self, ctx: Context, who: str) -> str | None:
        """An account's id from an id, an e-mail address, "me" or "none"."""
        who = who.strip()
        if who.lower() in NOBODY:
            return None
        if who.lower() in MYSELF:
            return str((await self.read(ctx, f"{API}/myself"))["accountId"])
        # A word of letters alone is a name, as no id of Cloud's is; a Data Center calls people so.
        if "@" not in who and " " not in who and not (who.isalpha() and await self.is_cloud(ctx)):
            return who
        found = await self.read(ctx, f"{API}/user/search", query=who, maxResults=10)
        people = [row for row in found if row.get("active", True)]
        names = ("emailAddress", "displayName")
        exact = [row for row in people if who.lower() in [str(row.get(name, "")).lower() for name in names]]
        chosen = exact or people
        if len(chosen) != 1:
            told = ", ".join(f"{row.get('displayName')} ({row.get('accountId')})" for row in chosen[:5])
            raise InvalidInput(
                f"{len(chosen) or 'No'} people match {who!r}.",
                code="unknown_person",
                hint=f"Give the account id: {told}." if told else "jira_search_users finds account ids.",
            )
        return str(chosen[0]["accountId"])

    async def text(self, ctx: Context, text: str, format: Format = "markdown") -> Any:
        """A text of this format as this Jira takes it: a document, or wiki text. Raises InvalidInput."""
        return written(text, format, cloud=await self.is_cloud(ctx))

    async def comment_text(self, ctx: Context, text: str, format: Format = "markdown") -> Any:
        """A comment's text as this Jira takes it. Raises InvalidInput for none."""
        made = await self.text(ctx, text, format)
        if not text.strip() or not (made.get("content") if isinstance(made, dict) else made):
            raise InvalidInput("A comment has a text.")
        return made

    async def values_for(
        self,
        ctx: Context,
        fields: Mapping[str, Any],
        format: Format = "markdown",
        known: Known | None = None,
    ) -> dict[str, Any]:
        """Fields in plain words as Jira takes them: texts of this format, names, people, keys.

        ``known`` asks which fields the issue has, where it matters.
        """
        made: dict[str, Any] = {}
        for name, given in fields.items():
            if name == "story_points":
                made[await self._points_field(ctx, known)] = given
                continue
            id = (await self.field_ids(ctx, [name]))[0]
            if id == "project":
                raise InvalidInput(
                    "The project of an issue is not set by its fields.", hint="Use project_key."
                )
            if id == "status":
                raise InvalidInput("The status is not set by its field.", hint="Use jira_transition_issue.")
            made[id] = await self._value_for(ctx, id, given, format)
        return made

    async def _value_for(self, ctx: Context, id: str, given: Any, format: Format) -> Any:
        if isinstance(given, str) and (id in trim.RICH or await self._is_text(ctx, id)):
            return await self.text(ctx, given, format)
        if id in ("assignee", "reporter") and (given is None or isinstance(given, str)):
            account = await self.account_id(ctx, given or "none")
            return {"accountId": account} if account else None
        if id in ("priority", "issuetype", "resolution", "security") and isinstance(given, str):
            return {"name": given}
        if id == "parent" and given is not None and given != "":
            key = await self._other(ctx, given)
            return given if key is None else {"key": key}
        if id == "parent":
            return None
        if id in _LISTS:
            return _listed(id, given)
        if self.allowed and _CUSTOM.match(id):
            await self._demand_within(ctx, id, given)
        return given

    async def _other(self, ctx: Context, given: Any) -> str | None:
        """The key of another issue, which must be within the allow-list; None where it is named otherwise."""
        key = given.get("key") if isinstance(given, Mapping) else given
        if isinstance(key, str) and queries.is_issue_key(key):
            await self.demand_issue(ctx, key)
            return key
        if self.allowed or isinstance(key, str):
            raise InvalidInput("The other issue is named by its key.", hint="Such as PROJ-12.")
        return None

    async def _demand_within(self, ctx: Context, id: str, given: Any) -> None:
        """Raise for a field that would reach beyond the allow-list: an epic's, a sprint's."""
        rows = [row for row in await self.fields_known(ctx) if row["id"] == id]
        kind = str((rows[0].get("schema") or {}).get("custom", "")) if rows else ""
        if kind.endswith(_EPICS) and given is not None and given != "":
            await self._other(ctx, given)
        if kind.endswith("gh-sprint"):
            raise InvalidInput("The sprint is not set by its field here.", hint="Use jira_add_to_sprint.")

    async def _is_text(self, ctx: Context, id: str) -> bool:
        if not _CUSTOM.match(id):
            return False
        await self.fields_known(ctx)
        return id in self._texts


def _listed(id: str, given: Any) -> Any:
    """The values of a field that has several; one alone and none are understood."""
    rows = [] if given is None else [given] if isinstance(given, str) else given
    if not isinstance(rows, list):
        return given
    if id != "labels":
        return [{"name": each} if isinstance(each, str) else each for each in rows]
    if any(" " in str(each) for each in rows):
        raise InvalidInput("labels: a label has no blanks.", hint="Write them with - or _.")
    return rows


def _is_text(row: Mapping[str, Any]) -> bool:
    return str((row.get("schema") or {}).get("custom", "")).endswith(_TEXTS)


_SYSTEM = {
    **{name: name for name in (*trim.USUAL, "project", "issuelinks", "attachment", "comment", "worklog", "environment",
                               "versions", "resolutiondate", "timetracking", "security", "watches", "votes")},
    # An answer has them in any case.
    **dict.fromkeys(("key", "issuekey", "id", "url"), "key"),
    "type": "issuetype", "due": "duedate", "fix_versions": "fixVersions", "resolved": "resolutiondate",
}  # fmt: skip
