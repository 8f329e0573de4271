"""Writes of what hangs on a task: notes, and links to other systems."""

from typing import Any

from django.db import transaction

from common.text import clean_text
from connectors.errors import Conflict, InvalidInput
from connectors.providers.goals.board import Board
from connectors.providers.goals.models import TaskNote
from connectors.providers.goals.records import Scope, number_of, with_notes
from connectors.providers.goals.saved import saved_task
from connectors.providers.goals.types import MAX_LINKS, MAX_NOTES


@transaction.atomic
def note_add(scope: Scope, task: str, text: str) -> dict[str, Any]:
    """Add a remark to a task."""
    board, row = Board.of_task(scope, number_of(task))
    notes = list(TaskNote.objects.filter(task=row, **scope.keys))
    if len(notes) >= MAX_NOTES:
        raise Conflict(f"{row.public_id} has {MAX_NOTES} notes, the most a task can have.", code="full")
    text = clean_text(text, 4_000)
    if not text.strip():
        raise InvalidInput("The note is empty.")
    author = clean_text(scope.principal_name, 150)
    notes.append(
        TaskNote.objects.create(task=row, text=text, author=author, created_at=board.now, **scope.keys)
    )
    board.touch(row)
    board.settle()
    return with_notes(saved_task(board, row), notes)


@transaction.atomic
def link_set(scope: Scope, task: str, system: str, external_id: str, url: str) -> dict[str, Any]:
    """Link a task to its counterpart; one link per system and id, set again to change its URL."""
    board, row = Board.of_task(scope, number_of(task))
    link = {
        "system": clean_text(system.strip().lower(), 40),
        "external_id": clean_text(external_id.strip(), 200),
        "url": clean_text(url.strip(), 2_000),
    }
    if not link["system"] or not link["external_id"]:
        raise InvalidInput("system and external_id must not be empty.")
    same = ("system", "external_id")
    others = [old for old in row.links if any(old[key] != link[key] for key in same)]
    if len(others) >= MAX_LINKS:
        raise Conflict(f"{row.public_id} has {MAX_LINKS} links, the most a task can have.", code="full")
    if link not in row.links:
        row.links = [*others, link]
        board.touch(row)
        board.settle()
    return saved_task(board, row)
