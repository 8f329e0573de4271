"""Sprints planned, started and closed."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from connectors.base import Context, tool
from connectors.errors import Conflict, InvalidInput
from connectors.kit.tidy import small
from connectors.providers.jira import trim, types
from connectors.providers.jira.agile import NO_BOARD, NO_SPRINT, AgileTools
from connectors.providers.jira.base import AGILE, hinting
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

Name = Annotated[str, Field(min_length=1, max_length=30)]
Goal = Annotated[str, Field(max_length=1000)]
Moment = Annotated[str, Field(max_length=40, description="ISO 8601, such as 2026-01-31T09:00.")]
_NEXT: Final = {"future": "active", "active": "closed"}


class SprintTools(AgileTools):
    """Sprints as a scrum master works with them."""

    @tool(title="Create a sprint", hint="W", toolset="admin", open_world=True, default_on=False,
          tags=("jira:sprints",))  # fmt: skip
    async def jira_create_sprint(
        self,
        ctx: Context,
        board_id: types.Number,
        name: Name,
        start: Moment | None = None,
        end: Moment | None = None,
        goal: Goal | None = None,
    ) -> types.Values:
        """Plan a sprint on a scrum board. It starts by jira_update_sprint(state='active')."""
        times = self._times(start, end)
        await self.demand_board(ctx, board_id)
        body = {"name": name, "originBoardId": board_id, **times, **({"goal": goal} if goal else {})}
        request = Request(
            "POST", f"{AGILE}/sprint", Kind.ONCE, json=body,
            look_first=f"Look with jira_get_board_sprints(board_id={board_id}, state='future').",
        )  # fmt: skip
        with hinting(
            not_found=NO_BOARD, invalid="Only scrum boards have sprints: jira_get_boards(type='scrum')."
        ):
            made = await self._json(ctx, request)
        return self._sprint(made)

    @tool(title="Update a sprint", hint="I", toolset="admin", open_world=True, default_on=False,
          tags=("jira:sprints", "jira:issues"))  # fmt: skip
    async def jira_update_sprint(
        self,
        ctx: Context,
        sprint_id: types.Number,
        state: Annotated[
            Literal["active", "closed"] | None, Field(description="active starts it, closed ends it.")
        ] = None,
        name: Name | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        goal: Goal | None = None,
    ) -> types.Values:
        """Change a sprint, start it or close it. Open issues of a closed sprint go to the backlog."""
        body: dict[str, Any] = {**small(name=name, **self._times(start, end))}
        if goal is not None:
            body["goal"] = goal
        if not body and state is None:
            raise InvalidInput("Nothing is to be changed.", hint="Give state, name, start, end or goal.")
        row = await self.demand_sprint(ctx, sprint_id)
        if state is not None and state != row.get("state"):
            _demand_step(row, state, body)
            body["state"] = state
        if not body:
            return self._sprint(row)
        request = Request("POST", f"{AGILE}/sprint/{sprint_id}", Kind.REPEATABLE, json=body)
        with hinting(
            not_found=NO_SPRINT, invalid="Of a closed sprint the name and the goal can be changed, no more."
        ):
            changed = await self._json(ctx, request)
        return self._sprint(changed)

    def _times(self, start: str | None, end: str | None) -> dict[str, str]:
        """Both moments as Jira takes them. Raises InvalidInput where they are none, or the wrong way round."""
        first, last = self._moment(start), self._moment(end)
        if first and last and last <= first:
            raise InvalidInput("The sprint would end before it starts.")
        given = {"startDate": first, "endDate": last}
        return {name: at.isoformat(timespec="milliseconds") for name, at in given.items() if at}

    def _moment(self, text: str | None) -> datetime | None:
        """A moment; in the connection's time zone where the text names none."""
        if not text:
            return None
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            hint = "Such as 2026-01-31T09:00 or 2026-01-31T09:00:00+01:00."
            raise InvalidInput(f"{text!r} is no moment.", hint=hint) from None
        return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(self.connection.time_zone))

    def _sprint(self, row: dict[str, Any]) -> types.Values:
        """A sprint with the address of its board."""
        board = row.get("originBoardId")
        place = f"{self.site.url}/secure/RapidBoard.jspa?rapidView={board}" if board else None
        return trim.sprint(row) | small(url=place)


def _demand_step(row: dict[str, Any], state: str, body: dict[str, Any]) -> None:
    """Raise for a step that a sprint cannot take now, or not without its times."""
    now = str(row.get("state"))
    if _NEXT.get(now) != state:
        raise Conflict(
            f"The sprint {row.get('id')} is {now} and cannot become {state}.",
            code="no_such_step",
            hint="A future sprint is started (active) first."
            if now == "future"
            else "A closed sprint stays closed.",
            details={"state": now},
        )
    times = {"start": "startDate", "end": "endDate"}
    missing = [name for name, field in times.items() if not (row.get(field) or body.get(field))]
    if state == "active" and missing:
        raise InvalidInput(
            f"A sprint is started with both its times; this one has no {' and no '.join(missing)}.",
            hint="Give start and end together with state='active'.",
        )
