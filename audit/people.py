"""Who the audit hears of: the shapes of values that the room above hands down.

``tenants.principals`` has the real ones (Actor, Caller); this room may not import them.
"""

from typing import Any, Protocol
from uuid import UUID


class ActorLike(Protocol):
    """Who changes something."""

    @property
    def id(self) -> str:
        """The user's or principal's id."""

    @property
    def name(self) -> str:
        """What people call them."""

    @property
    def address(self) -> str:
        """Where they came from."""

    @property
    def via(self) -> str:
        """The door they came through."""


class CallerLike(Protocol):
    """An authenticated principal in a tenant."""

    @property
    def tenant(self) -> Any:
        """The tenant as a plain value with an ``id``."""

    @property
    def principal_id(self) -> UUID:
        """Who calls."""

    @property
    def principal_kind(self) -> Any:
        """A person or a program."""

    @property
    def principal_name(self) -> str:
        """What people call them."""

    @property
    def key_id(self) -> str:
        """The access key's public part."""

    @property
    def address(self) -> str:
        """Where they came from."""

    @property
    def client(self) -> Any:
        """The client's ``name`` and ``version``."""

    @property
    def actor(self) -> Any:
        """Who really acts, where it is not the principal; else None."""

    @property
    def via(self) -> str:
        """The door they came through."""
