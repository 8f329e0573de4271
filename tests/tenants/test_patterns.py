import pytest

from tenants.errors import InvalidValue
from tenants.patterns import MAX_PATTERNS, matches, validate_patterns


@pytest.mark.parametrize(
    ("pattern", "connection", "tool", "covered"),
    [
        ("*", "goals", "create_goal", True),
        ("*:*", "goals", "create_goal", True),
        ("goals:*", "goals", "create_goal", True),
        ("goals:*", "goals2", "create_goal", False),
        ("goals*:*", "goals2", "create_goal", True),
        ("*:create_*", "goals2", "create_goal", True),
        ("*:create_*", "goals", "get_goal", False),
        ("goals:create_goal", "goals", "create_goal", True),
        ("goals:create_goal", "goals", "create_goals", False),
        ("goals:get.goal", "goals", "get_goal", False),
        ("g*s:c*l", "goals", "create_goal", True),
        ("goals:create_goal", "goals", "create_goal\n", False),
    ],
)
def test_a_pattern_covers(pattern, connection, tool, covered):
    assert matches(pattern, connection, tool) is covered


@pytest.mark.parametrize("bare", ["create_goal", "create_*", "goals"])
def test_a_bare_name_is_refused_with_what_to_write(bare):
    with pytest.raises(InvalidValue) as refused:
        validate_patterns([bare], "allow")
    assert f"goals:{bare}" in refused.value.message
    assert f"*:{bare}" in refused.value.message
    assert refused.value.field == "allow"


@pytest.mark.parametrize(
    "poison",
    [
        "a:b:c",
        ":x",
        "x:",
        "goals:a b",
        "GOALS:x",
        "goals:\x00",
        "goals:x\n\ny",
        7,
        None,
        {"a": 1},
        "x" * 10_000,
        "goals:\ud800",
    ],
)
def test_a_poison_pattern_is_refused(poison):
    with pytest.raises(InvalidValue):
        validate_patterns([poison])


def test_patterns_are_stripped_and_doubles_dropped():
    assert validate_patterns([" goals:* ", "goals:*", "", "*"]) == ["goals:*", "*"]
    assert validate_patterns("goals:*\nmemory:cache_get") == ["goals:*", "memory:cache_get"]


def test_there_is_an_end_to_patterns():
    with pytest.raises(InvalidValue):
        validate_patterns(f"goals:tool_{n}" for n in range(MAX_PATTERNS + 1))
