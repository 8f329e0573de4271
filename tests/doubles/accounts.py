"""Who may come in, and how often."""

import base64
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.doubles.messages import Request


@dataclass
class Account:
    """A person or an app in the vendor's system. ``scopes`` None: all, as tokens without scopes have."""

    id: str
    name: str
    email: str = ""
    scopes: frozenset[str] | None = None

    def may(self, scopes: Iterable[str]) -> bool:
        """Whether one of the scopes is there, where any is asked for."""
        wanted = set(scopes)
        return self.scopes is None or not wanted or bool(wanted & self.scopes)


@dataclass
class Door:
    """Which credentials are good: bearer tokens, and pairs of a name and a secret."""

    tokens: dict[str, Account] = field(default_factory=dict, repr=False)
    pairs: dict[tuple[str, str], Account] = field(default_factory=dict, repr=False)
    schemes: tuple[str, ...] = ("bearer",)

    def who(self, request: Request) -> Account | None:
        """Whose credential the request has; None where it has none or a bad one."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() in self.schemes:
            return self.tokens.get(rest.strip())
        if scheme.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(rest, validate=True).decode().partition(":")
            except ValueError:
                return None
            return self.pairs.get((name, secret))
        return None

    def revoke(self, secret: str) -> None:
        """End a token or a secret."""
        self.tokens.pop(secret, None)
        self.pairs = {pair: account for pair, account in self.pairs.items() if pair[1] != secret}


@dataclass
class Quota:
    """How many requests each account has per window of ``seconds``."""

    limit: int = 5000
    seconds: int = 3600
    used: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.time)

    @property
    def resets_at(self) -> int:
        """When the window ends, in seconds of Unix time."""
        return int(self.began + self.seconds)

    def left(self, account: Account | None) -> int:
        """What is left in the window."""
        return max(0, self.limit - self.used.get(account.id if account else "", 0))

    def take(self, account: Account | None) -> bool:
        """Count a request; False where there is no room for it."""
        if time.time() >= self.began + self.seconds:
            self.used, self.began = {}, time.time()
        if not self.left(account):
            return False
        key = account.id if account else ""
        self.used[key] = self.used.get(key, 0) + 1
        return True
