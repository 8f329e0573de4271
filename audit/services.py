"""Writing audit events: the doors that every other room uses."""

from audit.events import Event


async def record(event: Event) -> None:
    """Write an event and return when it is durable (from the event loop).

    Raises :class:`common.writer.WriterUnavailableError` when the database does not take it
    and :class:`common.writer.QueueFullError` when too many wait; nothing is written then.
    """
    raise NotImplementedError


def record_in_transaction(event: Event) -> None:
    """Write an event inside the caller's own transaction (a service's last step)."""
    raise NotImplementedError


def record_blocking(event: Event) -> None:
    """Write an event through the process's writer and wait, from a thread outside any transaction."""
    raise NotImplementedError
