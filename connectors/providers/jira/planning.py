"""What a team asks of its sprint: who does what, who could take an issue, how large it probably is.

Numbers of the past, without a model: everything that is told can be recounted by hand.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, NotFound
from connectors.kit.tidy import person, small, untrusted
from connectors.providers.jira import queries, trim, types
from connectors.providers.jira.agile import AgileTools
from connectors.providers.jira.base import NO_ISSUE, hinting, issue_path

MOST_LOOKED_AT: Final = 100
FIBONACCI: Final = (0.5, 1, 2, 3, 5, 8, 13, 21, 34)
_STOP: Final = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "for",
        "from",
        "in",
        "is",
        "it",
        "of",
        "on",
        "or",
        "that",
        "the",
        "this",
        "to",
        "was",
        "with",
        "when",
    ]
)


class PlanningTools(AgileTools):
    """Answers from a sprint's and a project's history."""

    @tool(title="Daily standup", hint="R", toolset="agile",
          open_world=True, required=True, cache="S", tags=("jira:issues",),
          default_on=False, aliases=("get-daily-standup-summary",))  # fmt: skip
    async def jira_get_daily_standup_summary(
        self, ctx: Context, board_id: types.Number, hours: Annotated[int, Field(ge=1, le=168)] = 24
    ) -> ToolResult:
        """The active sprint of a board: by person what is done, in progress and to do; what changed lately."""
        await self.demand_board(ctx, board_id)
        told = await self._sprints(ctx, board_id, "active", 0, 50)
        sprints = told.get("values") or []
        if not sprints:
            raise NotFound(
                f"No sprint runs on board {board_id}.", hint="jira_get_board_sprints lists its sprints."
            )
        ids = ", ".join(str(int(row["id"])) for row in sprints)
        jql = queries.bounded(f"sprint in ({ids})", self.allowed, order="updated DESC")
        rows, more = await self.issues_of(ctx, jql, limit=MOST_LOOKED_AT)
        since = datetime.now(UTC) - timedelta(hours=hours)
        people: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        counted: Counter[str] = Counter()
        recent = []
        for row in rows:
            fields = row.get("fields") or {}
            column = _column(fields)
            counted[column] += 1
            who = (person(fields.get("assignee")) or {}).get("name", "nobody")
            line = small(
                key=row.get("key"), summary=fields.get("summary"), status=trim.value(fields.get("status"))
            )
            people[who][column].append(line)
            if (at := _moment(fields.get("updated"))) is not None and at >= since:
                recent.append(row["key"])
        return untrusted(
            small(
                sprints=[trim.sprint(row) for row in sprints], counts=dict(counted),
                people={name: dict(columns) for name, columns in sorted(people.items())},
                changed_lately=recent, truncated=True if more else None,
            )
        )  # fmt: skip

    @tool(title="Who could take an issue", hint="R", toolset="agile",
          open_world=True, required=True, cache="M", default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"), aliases=("get-task-assignment-recommendations",))  # fmt: skip
    async def jira_get_task_assignment_recommendations(
        self, ctx: Context, issue_key: types.IssueKey, limit: Annotated[int, Field(ge=1, le=10)] = 3
    ) -> ToolResult:
        """People who finished similar issues, and how much they have open now."""
        issue = await self._issue(ctx, issue_key)
        past = await self._similar(ctx, issue_key, issue, "assignee IS NOT EMPTY")
        scores: Counter[str] = Counter()
        examples: dict[str, list[str]] = defaultdict(list)
        names: dict[str, dict[str, str]] = {}
        for score, row in past:
            who = person((row.get("fields") or {}).get("assignee"))
            if who and "id" in who:
                names[who["id"]] = who
                scores[who["id"]] += score
                examples[who["id"]].append(str(row["key"]))
        items = []
        for id, score in scores.most_common(limit):
            jql = queries.bounded(f"assignee = {queries.quoted(id)} AND statusCategory != Done", self.allowed)
            open_now, more = await self.issues_of(ctx, jql, limit=50, fields=["status"])
            items.append({
                "person": names[id], "score": score, "similar_done": len(examples[id]), "examples": examples[id][:3],
                "open_now": f"{len(open_now)}+" if more else len(open_now),
            })  # fmt: skip
        return untrusted({"key": issue_key, "items": items, "count": len(items), "looked_at": len(past)})

    @tool(title="Estimate story points", hint="R", toolset="agile",
          open_world=True, required=True, cache="M", default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"), aliases=("estimate-story-points",))  # fmt: skip
    async def jira_estimate_story_points(self, ctx: Context, issue_key: types.IssueKey) -> ToolResult:
        """Story points of similar finished issues: their median, their range, and which they were."""
        points = await self.points_fields(ctx)
        issue = await self._issue(ctx, issue_key)
        past = await self._similar(ctx, issue_key, issue, "", extra=points)
        sized = [
            (score, row, value)
            for score, row in past
            if (value := _points(row.get("fields") or {}, points)) > 0
        ]
        if not sized:
            raise InvalidInput(
                "No finished issue of this project and type has story points.",
                code="no_history",
                hint="Estimate it by hand, and set story_points with jira_update_issue.",
            )
        near = [entry for entry in sized if entry[0] > 1][:15] or sized[:15]
        values = [value for _, _, value in near]
        median = statistics.median(values)
        return untrusted({
            "key": issue_key,
            "estimate": min(FIBONACCI, key=lambda size: abs(size - median)),
            "median": median, "lowest": min(values), "highest": max(values),
            "confidence": "low" if len(values) < 3 else "medium" if len(values) < 8 else "high",
            "similar": [
                {"key": row["key"], "summary": trim.value(row["fields"].get("summary")), "story_points": value}
                for _, row, value in near[:5]
            ],
        })  # fmt: skip

    async def _issue(self, ctx: Context, key: str) -> dict[str, Any]:
        if self.allowed:
            queries.demand_project(queries.project_of(key), self.allowed)
        wanted = "summary,labels,components,issuetype,project"
        with hinting(not_found=NO_ISSUE):
            return self.checked(await self.read(ctx, issue_path(key), fields=wanted))

    async def _similar(
        self, ctx: Context, key: str, issue: Mapping[str, Any], condition: str, extra: Iterable[str] = ()
    ) -> list[tuple[int, dict[str, Any]]]:
        """Finished issues of the project and type, the most similar first: words, labels, components in common."""
        fields = issue.get("fields") or {}
        kind = str((fields.get("issuetype") or {}).get("id") or "")
        conditions = [
            f"project = {queries.quoted(queries.project_of(str(issue.get('key') or key)))}",
            f"issuetype = {kind}" if kind.isdecimal() else "",
            "statusCategory = Done",
            condition,
        ]
        jql = queries.bounded(queries.joined(conditions, "updated DESC"), self.allowed)
        wanted = ["summary", "labels", "components", "assignee", *extra]
        rows, _ = await self.issues_of(ctx, jql, limit=MOST_LOOKED_AT, fields=wanted)
        own = _marks(fields)
        ranked = [
            (1 + len(own & _marks(row.get("fields") or {})), row)
            for row in rows
            if row.get("key") != issue.get("key")
        ]
        return sorted(ranked, key=lambda entry: -entry[0])


def _marks(fields: Mapping[str, Any]) -> set[str]:
    """What tells issues apart: words of the summary, labels, components."""
    words = {word.strip(".,:;!?()[]\"'").lower() for word in str(fields.get("summary") or "").split()}
    labels = {f"label:{label}" for label in fields.get("labels") or []}
    parts = {
        f"part:{each.get('name')}" for each in fields.get("components") or [] if isinstance(each, Mapping)
    }
    return {word for word in words - _STOP if len(word) > 2} | labels | parts


def _points(fields: Mapping[str, Any], names: Iterable[str]) -> float:
    """An issue's story points; 0 where it has none."""
    return next((float(value) for name in names if isinstance(value := fields.get(name), int | float)), 0.0)


def _column(fields: Mapping[str, Any]) -> str:
    key = ((fields.get("status") or {}).get("statusCategory") or {}).get("key")
    return {"done": "done", "indeterminate": "in_progress"}.get(str(key), "to_do")


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
