from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.providers.goals.plan import (
    CycleError,
    Step,
    critical_path,
    find_cycle,
    phases,
    redundant_edges,
)

edges_of_any_graph = st.dictionaries(
    st.integers(0, 12), st.lists(st.integers(0, 12), max_size=5, unique=True), max_size=12
)


@st.composite
def plans(draw):
    """Steps without a cycle, in any order: each depends only on smaller keys."""
    size = draw(st.integers(0, 25))
    steps = [
        Step(
            key,
            tuple(draw(st.lists(st.integers(0, key - 1), max_size=4, unique=True))) if key else (),
            draw(st.floats(0, 50, allow_nan=False)),
        )
        for key in range(size)
    ]
    return draw(st.permutations(steps))


@given(plans())
def test_every_step_is_in_one_phase_right_after_the_last_it_depends_on(steps):
    levels = phases(steps)
    place = {key: number for number, level in enumerate(levels) for key in level}
    assert sorted(key for level in levels for key in level) == sorted(step.key for step in steps)
    assert all(levels)
    for step in steps:
        assert place[step.key] == max((place[key] + 1 for key in step.depends_on), default=0)


@given(plans())
def test_the_critical_path_is_a_chain_and_no_chain_is_heavier(steps):
    by_key = {step.key: step for step in steps}
    path, weight = critical_path(steps, phases(steps))
    for before, after in pairwise(path):
        assert before in by_key[after].depends_on
    assert weight == pytest.approx(sum(by_key[key].weight for key in path))
    heaviest: dict[int, float] = {}
    for key in sorted(by_key):
        step = by_key[key]
        heaviest[key] = step.weight + max((heaviest[other] for other in step.depends_on), default=0.0)
    assert weight == pytest.approx(max(heaviest.values(), default=0.0))


@given(edges_of_any_graph)
@settings(max_examples=200)
def test_phases_and_cycles_agree_and_the_named_cycle_is_one(edges):
    steps = [Step(key, tuple(depends_on)) for key, depends_on in edges.items()]
    path = find_cycle(edges)
    if path is None:
        phases(steps)
        return
    assert path[0] == path[-1]
    assert len(set(path)) == len(path) - 1
    for key, needed in pairwise(path):
        assert needed in edges[key]
    with pytest.raises(CycleError):
        phases(steps)


@given(plans())
def test_leaving_out_redundant_edges_changes_no_phase(steps):
    levels = phases(steps)
    redundant = set(redundant_edges(steps, levels))
    lean = [
        Step(step.key, tuple(key for key in step.depends_on if (step.key, key) not in redundant), step.weight)
        for step in steps
    ]
    assert phases(lean) == levels
    assert redundant_edges(lean, levels) == []


def test_a_step_on_itself_and_a_very_long_chain():
    with pytest.raises(CycleError, match="3 -> 3"):
        phases([Step(3, (3,))])
    chain = [Step(key, (key - 1,) if key else ()) for key in range(5_000)]
    assert len(phases(chain)) == 5_000
    assert find_cycle({step.key: step.depends_on for step in chain}) is None
    assert critical_path(chain, phases(chain))[1] == 5_000
