"""How a try to deliver an alert ended."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tried:
    """``error`` is empty where the alert arrived.

    ``final`` says that no further try can help; ``gone`` that the receiver wants no more
    alerts at all; ``retry_after`` are the seconds that it asks to wait.
    """

    error: str = ""
    final: bool = False
    gone: bool = False
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the alert arrived."""
        return not self.error


ARRIVED = Tried()
