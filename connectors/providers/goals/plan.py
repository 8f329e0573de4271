"""Plans as pure graph work: phases, cycles, the critical path. No database in here.

Steps are given in their order; that order breaks all ties, so a plan is reproducible.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the plan: its key, the keys it depends on, and its weight (hours)."""

    key: int
    depends_on: tuple[int, ...] = ()
    weight: float = 1.0


class CycleError(ValueError):
    """The dependencies go round in a circle; ``path`` starts and ends with the same key.

    Each key of the path depends on the one after it.
    """

    def __init__(self, path: Sequence[int]) -> None:
        super().__init__(" -> ".join(map(str, path)))
        self.path = tuple(path)


def phases(steps: Sequence[Step]) -> list[list[int]]:
    """The steps by Kahn's levels: each step is in the first phase after all it depends on.

    Steps of one phase can run in parallel. Dependencies on keys that are not among the steps
    are ignored. Raises :class:`CycleError`.
    """
    known = {step.key for step in steps}
    waits = {step.key: {key for key in step.depends_on if key in known} for step in steps}
    dependents: dict[int, list[int]] = {key: [] for key in known}
    for key, waiting in waits.items():
        for other in waiting:
            dependents[other].append(key)
    place = {step.key: index for index, step in enumerate(steps)}
    level = [step.key for step in steps if not waits[step.key]]
    levels: list[list[int]] = []
    placed = 0
    while level:
        levels.append(level)
        placed += len(level)
        following = []
        for key in level:
            for dependent in dependents[key]:
                waits[dependent].discard(key)
                if not waits[dependent]:
                    following.append(dependent)
        level = sorted(following, key=place.__getitem__)
    if placed < len(known):
        raise CycleError(find_cycle({step.key: step.depends_on for step in steps}) or ())
    return levels


def find_cycle(edges: Mapping[int, Iterable[int]]) -> list[int] | None:
    """A circle among the dependencies as a closed path (``[1, 2, 1]``), or None.

    Depth first without recursion: a plan may be as deep as it has tasks.
    """
    finished: set[int] = set()
    for start in edges:
        if start in finished:
            continue
        path: list[int] = [start]
        on_path = {start: 0}
        branches = [iter(edges[start])]
        while path:
            for key in branches[-1]:
                if key in on_path:
                    return [*path[on_path[key] :], key]
                if key in edges and key not in finished:
                    on_path[key] = len(path)
                    path.append(key)
                    branches.append(iter(edges[key]))
                    break
            else:
                branches.pop()
                done = path.pop()
                del on_path[done]
                finished.add(done)
    return None


def critical_path(steps: Sequence[Step], levels: Sequence[Sequence[int]]) -> tuple[list[int], float]:
    """The heaviest chain of dependencies and its weight: no plan can be done sooner.

    ``levels`` are the steps' :func:`phases`.
    """
    by_key = {step.key: step for step in steps}
    total: dict[int, float] = {}
    before: dict[int, int | None] = {}
    for key in (key for level in levels for key in level):
        step = by_key[key]
        best, best_total = None, 0.0
        for other in step.depends_on:
            if other in total and (best is None or total[other] > best_total):
                best, best_total = other, total[other]
        before[key] = best
        total[key] = best_total + step.weight
    if not total:
        return [], 0.0
    last: int | None = max(total, key=total.__getitem__)
    weight = total[last] if last is not None else 0.0
    path = []
    while last is not None:
        path.append(last)
        last = before[last]
    return path[::-1], weight


def redundant_edges(steps: Sequence[Step], levels: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Dependencies that others imply: ``(step, depends_on)`` where a longer way leads there too."""
    by_key = {step.key: step for step in steps}
    above: dict[int, set[int]] = {}
    found: list[tuple[int, int]] = []
    for key in (key for level in levels for key in level):
        direct = [other for other in dict.fromkeys(by_key[key].depends_on) if other in by_key]
        indirect = set().union(*(above[other] for other in direct))
        found.extend((key, other) for other in direct if other in indirect)
        above[key] = indirect.union(direct)
    return found
