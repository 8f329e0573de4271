"""Which fault strikes which request."""

import random
from dataclasses import dataclass

from tests.doubles.faults import Fault


@dataclass
class Plan:
    """A fault with when it strikes: the next ``times`` (None: all) requests that fit, by ``chance``."""

    fault: Fault
    times: int | None = 1
    method: str = ""
    path: str = ""  # a route's template, or its operation's id; empty: any
    chance: float = 1.0

    def fits(self, method: str, names: tuple[str, ...]) -> bool:
        """Whether a request of this method to a route of these names is meant."""
        return self.method in ("", method) and (not self.path or self.path in names)


class Faults:
    """The faults to come; of those that fit a request, the first strikes."""

    def __init__(self, seed: int = 1) -> None:
        self.plans: list[Plan] = []
        self.struck: list[str] = []
        self._random = random.Random(seed)

    def add(
        self, *faults: Fault, times: int | None = 1, method: str = "", path: str = "", chance: float = 1.0
    ) -> None:
        """Plan faults, one after the other, each for ``times`` requests."""
        self.plans += [Plan(fault, times, method.upper(), path, chance) for fault in faults]

    def clear(self) -> None:
        """Plan none."""
        self.plans.clear()

    def take(self, method: str, names: tuple[str, ...]) -> Fault | None:
        """The fault that strikes this request, if any."""
        for plan in self.plans:
            if plan.fits(method, names) and (plan.chance >= 1 or self._random.random() < plan.chance):
                if plan.times is not None:
                    plan.times -= 1
                    if not plan.times:
                        self.plans.remove(plan)
                self.struck.append(plan.fault.kind)
                return plan.fault
        return None
