"""Activities: tasks and events beside the records they are about."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from connectors.base import Context, tool
from connectors.errors import InvalidInput
from connectors.providers.salesforce.base import record_id
from connectors.providers.salesforce.object_queries import PEOPLE_PREFIXES
from connectors.providers.salesforce.queries import day
from connectors.providers.salesforce.types import Day, Deleted, Made, OptionalId, RecordId
from connectors.providers.salesforce.write_tools import WriteTools

KINDS = {"00T": "Task", "00U": "Event"}
ACTIVITIES = ("sf:Task", "sf:Event")


class ActivityTools(WriteTools):
    """Logging calls, to-dos and meetings."""

    @tool(
        title="Create an activity", hint="W", open_world=True, toolset="write", required=True, tags=ACTIVITIES
    )
    async def salesforce_create_activity(
        self,
        ctx: Context,
        subject: Annotated[str, Field(min_length=1, max_length=255)],
        related_to: Annotated[OptionalId, Field(description="Id of an account, deal, case ...")] = "",
        who_id: Annotated[OptionalId, Field(description="Id of a contact or lead")] = "",
        due_date: Day = "",
        description: Annotated[str, Field(max_length=32_000)] = "",
        priority: Literal["High", "Normal", "Low"] = "Normal",
        kind: Literal["task", "event"] = "task",
        status: Annotated[str, Field(max_length=80, description="Completed logs what is done")] = "",
    ) -> Made:
        """Log a task, or put an event into the calendar (09:00 of its day, one hour)."""
        related_to, who_id = (record_id(id) if id else "" for id in (related_to, who_id))
        if related_to.startswith(PEOPLE_PREFIXES):
            if who_id and who_id[:15] != related_to[:15]:
                raise InvalidInput(
                    "An activity is with one person: who_id and related_to name two.", code="two_people",
                    hint="related_to is what it is about: an account, a deal, a case.",
                )  # fmt: skip
            who_id, related_to = who_id or related_to, ""
        data: dict[str, Any] = {
            "Subject": subject,
            "Description": description,
            "WhatId": related_to,
            "WhoId": who_id,
        }
        if kind == "task":
            data |= {
                "Priority": priority,
                "ActivityDate": day(due_date) if due_date else "",
                "Status": status,
            }
            return await self._create(ctx, "Task", _given(data))
        if not due_date:
            raise InvalidInput(
                "An event needs its day.", code="REQUIRED_FIELD_MISSING", hint="Give due_date."
            )
        if status:
            raise InvalidInput(
                "An event has no status.",
                code="INVALID_FIELD",
                hint="Leave it out, or log a task (kind='task').",
            )
        data |= {"StartDateTime": self._morning(day(due_date)), "DurationInMinutes": 60}
        return await self._create(ctx, "Event", _given(data))

    def _morning(self, on: str) -> str:
        """Nine o'clock of a day where the tenant is."""
        there = datetime.fromisoformat(f"{on}T09:00:00").replace(tzinfo=ZoneInfo(self.connection.time_zone))
        return there.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @tool(
        title="Delete an activity", hint="DI", open_world=True, toolset="delete", default_on=False, required=True,
        tags=ACTIVITIES,
    )  # fmt: skip
    async def salesforce_delete_activity(self, ctx: Context, activity_id: RecordId) -> Deleted:
        """Move a task or event to the recycle bin."""
        object = KINDS.get(activity_id[:3])
        if object is None:
            raise InvalidInput(
                "This is the id of no activity.", code="MALFORMED_ID",
                hint="Tasks begin with 00T, events with 00U; salesforce_query_activities lists them.",
            )  # fmt: skip
        return await self._delete(ctx, object, activity_id)


def _given(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value}
