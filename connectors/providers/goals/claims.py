"""Claims: a task is kept for one agent of one principal for a while."""

from datetime import timedelta
from typing import Any

from django.db import transaction

from common.text import clean_text
from connectors.errors import Conflict, InvalidInput
from connectors.providers.goals.board import Board
from connectors.providers.goals.records import Scope, number_of
from connectors.providers.goals.saved import saved_task
from connectors.providers.goals.states import State


@transaction.atomic
def task_claim(scope: Scope, task: str, agent: str, seconds: int) -> dict[str, Any]:
    """Keep a task for one agent of the calling principal; claiming again extends the lease."""
    board, row = Board.of_task(scope, number_of(task))
    agent = clean_text(" ".join(agent.split()), 80)
    if not agent:
        raise InvalidInput("The agent's name is empty.", hint="Give the name that the other agents know.")
    board.demand_open()
    board.demand_lease(row, agent)
    if row.status not in (State.READY, State.IN_PROGRESS):
        waiting = board.open_dependencies(row)
        raise Conflict(
            f"{row.public_id} is {row.status}; only a ready task, or one in progress, can be claimed.",
            code="not_claimable",
            hint=f"It waits for {', '.join(waiting[:5])}."
            if waiting
            else "get_next_tasks shows what can be claimed.",
        )
    row.lease_principal, row.lease_agent = scope.principal_id, agent
    row.lease_expires_at = board.now + timedelta(seconds=seconds)
    board.touch(row)
    board.settle()
    return saved_task(board, row)
